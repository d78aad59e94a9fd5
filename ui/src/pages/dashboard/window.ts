/** So far back the dashboard looks; it lives in the address of the page. */
export const WINDOWS = { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" } as const;
export type StatsWindow = keyof typeof WINDOWS;

export const USUAL: StatsWindow = "24h";

export interface WindowSearch {
  window?: StatsWindow;
}

/** The window of an address; left out where it is the usual one, or none. */
export function readWindow(search: Record<string, unknown>): WindowSearch {
  const found = (Object.keys(WINDOWS) as StatsWindow[]).find((known) => known === search["window"]);
  return found === undefined || found === USUAL ? {} : { window: found };
}
