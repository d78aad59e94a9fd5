const DAY_MS = 86_400_000;
/** A key that ends so soon is said to. */
const SOON_MS = 7 * DAY_MS;

export const LIFETIMES = {
  "30": "30 days",
  "90": "90 days",
  "365": "a year",
  none: "until it is revoked",
} as const;
export type Lifetime = keyof typeof LIFETIMES;

/** When a key ends that is made now; null where it lives until it is revoked. */
export function expiryOf(lifetime: string, now: number): string | null {
  const days = Number(lifetime);
  return Number.isFinite(days) && days > 0 ? new Date(now + days * DAY_MS).toISOString() : null;
}

/** Whether a key is good, ends within a week, or has ended. */
export function standingOf(expiresAt: string | null, now: number): "good" | "soon" | "expired" {
  if (expiresAt === null) return "good";
  const left = Date.parse(expiresAt) - now;
  if (left <= 0) return "expired";
  return left < SOON_MS ? "soon" : "good";
}
