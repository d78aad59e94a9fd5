import { focusManager } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

beforeEach(() => {
  // Sessions of pages that were left are not to hear of those of other tests.
  vi.stubGlobal("BroadcastChannel", undefined);
});
afterEach(async () => {
  (await openAnew()).resumeLive();
  vi.unstubAllGlobals();
});

/** The page as it begins in a tab that is loaded anew. */
async function openAnew() {
  vi.resetModules();
  document.documentElement.removeAttribute("data-held");
  focusManager.setFocused(undefined);
  return { ...(await import("./hold")), ...(await import("./live")) };
}

/** How everything stands that rests while it is held. */
function stand({ useHold, useLive }: Awaited<ReturnType<typeof openAnew>>) {
  return [useLive.getState().status, useHold.getState().isHeld, document.documentElement.hasAttribute("data-held"), focusManager.isFocused()];
}

it("what somebody has paused stays so where the tab is loaded anew, until they resume", async () => {
  const first = await openAnew();
  expect(stand(first)).toEqual(["connecting", false, false, true]);
  first.holdLive();
  const second = await openAnew();
  expect(stand(second)).toEqual(["held", true, true, false]);
  second.resumeLive();
  expect(stand(second)).toEqual(["connecting", false, false, true]);
  expect(stand(await openAnew())).toEqual(["connecting", false, false, true]);
});

it("where nothing can be kept, it is paused until the page goes", async () => {
  const refuse = () => {
    throw new DOMException("switched off", "SecurityError");
  };
  vi.stubGlobal("sessionStorage", { getItem: refuse, setItem: refuse, removeItem: refuse });
  const page = await openAnew();
  page.holdLive();
  expect(stand(page)).toEqual(["held", true, true, false]);
  expect(stand(await openAnew())).toEqual(["connecting", false, false, true]);
});
