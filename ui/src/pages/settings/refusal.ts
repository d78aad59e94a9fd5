import { ApiProblem, describeError } from "@/lib/problem";

/** Why a form with a password was refused, as a whole; undefined where it was not. */
export function describeRefusal(error: unknown): string | undefined {
  if (error === null || error === undefined) return undefined;
  if (error instanceof ApiProblem && error.status === 429 && error.retryAfter !== undefined) {
    return `Too many tries. Try again in ${error.retryAfter} s.`;
  }
  return describeError(error);
}
