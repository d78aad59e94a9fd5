import { create } from "zustand";

/** What the themes are called. */
export const THEME_LABELS = { system: "As the system", light: "Light", dark: "Dark" } as const;
export type Theme = keyof typeof THEME_LABELS;
export const THEMES = Object.keys(THEME_LABELS) as Theme[];

/** Also read by public/theme.js, before the first paint. */
const KEY = "flowforge.theme";

export const useTheme = create<{ theme: Theme }>(() => ({ theme: read() }));

/** Show the app in this theme, here and the next time. What is none is that of the system. */
export function setTheme(name: string): void {
  const theme = known(name);
  try {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice holds for this page.
  }
  show(theme);
}

// Chosen in another tab; without a key, all of what was kept is gone.
window.addEventListener("storage", ({ key }) => {
  if (key === null || key === KEY) show(read());
});

function show(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  useTheme.setState({ theme });
}

function read(): Theme {
  try {
    return known(localStorage.getItem(KEY));
  } catch {
    return "system";
  }
}

function known(name: string | null): Theme {
  return THEMES.find((theme) => theme === name) ?? "system";
}
