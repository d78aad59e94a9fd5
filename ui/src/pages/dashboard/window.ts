import { PERIODS, type Period, readPeriod } from "@/lib/period";

/** So far back the dashboard looks, as far as lists do; it lives in the address of the page. */
export const WINDOWS = PERIODS;
export type StatsWindow = Period;

export const USUAL: StatsWindow = "24h";

export interface WindowSearch {
  window?: StatsWindow;
}

/** The window of an address; left out where it is the usual one, or none. */
export function readWindow(search: Record<string, unknown>): WindowSearch {
  const found = readPeriod(search["window"]);
  return found === undefined || found === USUAL ? {} : { window: found };
}
