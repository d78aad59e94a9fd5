import { expect, it } from "vitest";
import { ApiProblem, Unreachable, tellTooMany } from "./problem";

const refused = (status: number, retryAfter?: string) =>
  new ApiProblem({}, new Response(null, { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } }));

it.each([
  [refused(429, "28"), "Too many tries. Try again in 28 s."],
  [refused(429, "895"), "Too many tries. Try again in 14 min 55 s."],
  [refused(429), undefined],
  [refused(503, "5"), undefined],
  [new Unreachable(undefined), undefined],
  [null, undefined],
])("of %s is told when to try again: %j", (error, told) => {
  expect(tellTooMany(error)).toBe(told);
});
