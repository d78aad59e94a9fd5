/** Periods by which lists are filtered. */
export const PERIODS = { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" } as const;
export type Period = keyof typeof PERIODS;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PERIOD_MS = { "1h": HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS } satisfies Record<Period, number>;
/** So that the same filters ask for the same things for a while, and not for others at every look. */
const ROUND_MS = 60_000;

/** The period of that name; undefined where there is none. */
export function readPeriod(value: unknown): Period | undefined {
  return (Object.keys(PERIODS) as Period[]).find((known) => known === value);
}

/** When a period that ends now began, as the API is asked; null without one. */
export function beginOf(period: Period | undefined, now: number): string | null {
  return period === undefined ? null : new Date(Math.floor((now - PERIOD_MS[period]) / ROUND_MS) * ROUND_MS).toISOString();
}
