import { describeError, tellTooMany } from "@/lib/problem";

/** Why a form with a password was refused, as a whole; undefined where it was not. */
export function describeRefusal(error: unknown): string | undefined {
  if (error === null || error === undefined) return undefined;
  return tellTooMany(error) ?? describeError(error);
}
