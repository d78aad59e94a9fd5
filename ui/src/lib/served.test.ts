import { afterEach, expect, it, vi } from "vitest";
import { isServed, loadAnew } from "./served";

afterEach(() => vi.unstubAllGlobals());

const CASES: readonly [string, () => Promise<Response>, boolean][] = [
  ["the app is there", () => Promise.resolve(new Response()), true],
  ["nobody answers", () => Promise.reject(new TypeError("Failed to fetch")), false],
  ["a proxy answers 502", () => Promise.resolve(new Response(null, { status: 502 })), false],
  ["a proxy answers 504", () => Promise.resolve(new Response(null, { status: 504 })), false],
];

it.each(CASES)("where %s, the app is loaded anew only if it would come", async (_, answer, isThere) => {
  const reload = vi.spyOn(location, "reload").mockImplementation(() => undefined);
  vi.stubGlobal("fetch", answer);
  expect(await isServed()).toBe(isThere);
  expect(await loadAnew()).toBe(isThere);
  expect(reload).toHaveBeenCalledTimes(isThere ? 1 : 0);
});
