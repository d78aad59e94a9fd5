import { DENSITY_LABELS, ZONE_LABELS, prefer } from "./preferences";
import { THEME_LABELS, setTheme } from "./theme";

/** Something of which somebody chooses one for their view. */
export interface ViewChoice {
  title: string;
  /** What is called how that may be chosen. */
  words: Readonly<Record<string, string>>;
  /** It holds at once, and the next time. */
  choose: (name: string) => void;
}

/** What is chosen in the settings, and from wherever one is. */
export const VIEW_CHOICES = {
  theme: { title: "Theme", words: THEME_LABELS, choose: setTheme },
  zone: { title: "Times", words: ZONE_LABELS, choose: (name) => prefer("zone", name) },
  density: { title: "Rows of lists", words: DENSITY_LABELS, choose: (name) => prefer("density", name) },
} as const satisfies Record<string, ViewChoice>;
