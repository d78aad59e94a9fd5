import { afterEach, expect, it, vi } from "vitest";
import { Unreachable } from "@/lib/problem";
import { lazyPage } from "./lazy-page";

afterEach(() => vi.unstubAllGlobals());

const GONE = new TypeError("Failed to fetch dynamically imported module: /assets/page.js");

/** What the page throws in its place, its part having failed to come. */
async function thrownBy(isServed: boolean): Promise<unknown> {
  vi.stubGlobal("fetch", () => (isServed ? Promise.resolve(new Response()) : Promise.reject(new TypeError("Failed to fetch"))));
  const page = lazyPage<"Page">(() => Promise.reject(GONE), "Page");
  await page.preload?.();
  // Else the router would load all anew.
  sessionStorage.setItem(`tanstack_router_reload:${GONE.message}`, "1");
  try {
    (page as unknown as (props: object) => unknown)({});
  } catch (error) {
    return error;
  }
  return undefined;
}

it("where nobody serves the app, a page that is not there says so, and is no reason to load all anew", async () => {
  expect(await thrownBy(false)).toBeInstanceOf(Unreachable);
});

it("where a newer app is served, the router is told that a part of this one is gone", async () => {
  expect(await thrownBy(true)).toBe(GONE);
});
