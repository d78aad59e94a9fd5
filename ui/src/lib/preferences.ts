import { create } from "zustand";

/** The clocks by which times are told: those of this machine, or UTC. */
export type Zone = "local" | "utc";
export type Density = "comfortable" | "compact";

/** What somebody has chosen for this browser. */
export interface Preferences {
  zone: Zone;
  density: Density;
  /** Whether single keys act (WCAG 2.1.4). */
  keys: "on" | "off";
}

type Name = keyof Preferences;

/** What the choices are called. */
export const ZONE_LABELS = { local: "As clocks tell them here", utc: "UTC" } as const satisfies Record<Zone, string>;
export const DENSITY_LABELS = { comfortable: "Comfortable", compact: "Compact" } as const satisfies Record<Density, string>;

/** What holds where nothing was chosen. */
const USUAL: Preferences = { zone: "local", density: "comfortable", keys: "on" };
/** What may be chosen. */
const CHOICES: { readonly [name in Name]: Readonly<Record<Preferences[name], unknown>> } = {
  zone: ZONE_LABELS,
  density: DENSITY_LABELS,
  keys: { on: true, off: true },
};
const NAMES = Object.keys(CHOICES) as Name[];
/** Where each is kept. */
const PLACES = { zone: "flowforge.zone", density: "flowforge.density", keys: "flowforge.shortcuts" } as const satisfies Record<Name, string>;

export const usePreferences = create<Preferences>(read);

/** Hold to this choice, here and the next time. What is none of the choices is the usual one. */
export function prefer(name: Name, value: string): void {
  const chosen = oneOf(name, value);
  try {
    if (chosen === USUAL[name]) localStorage.removeItem(PLACES[name]);
    else localStorage.setItem(PLACES[name], chosen);
  } catch {
    // Storage is switched off: the choice holds for this page.
  }
  usePreferences.setState({ [name]: chosen });
}

/** The clocks by which times are told. */
export function useZone(): Zone {
  return usePreferences((state) => state.zone);
}

// Chosen in another tab; without a key, all of what was kept is gone.
window.addEventListener("storage", ({ key }) => {
  if (key === null || NAMES.some((name) => PLACES[name] === key)) usePreferences.setState(read());
});

function oneOf<One extends Name>(name: One, value: string | null): Preferences[One] {
  return value !== null && Object.hasOwn(CHOICES[name], value) ? (value as Preferences[One]) : USUAL[name];
}

function read(): Preferences {
  return { zone: kept("zone"), density: kept("density"), keys: kept("keys") };
}

function kept<One extends Name>(name: One): Preferences[One] {
  try {
    return oneOf(name, localStorage.getItem(PLACES[name]));
  } catch {
    return oneOf(name, null);
  }
}
