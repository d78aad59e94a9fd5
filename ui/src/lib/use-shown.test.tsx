import { act, cleanup, renderHook } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useShown } from "./use-shown";

const HEADING = "told";
let heading: HTMLElement;
let row: HTMLElement;
const scroll = vi.fn();
beforeEach(() => {
  row = document.createElement("button");
  heading = document.createElement("h2");
  heading.id = HEADING;
  heading.tabIndex = -1;
  document.body.replaceChildren(row, heading);
  heading.scrollIntoView = scroll;
  row.focus();
});
afterEach(() => {
  cleanup();
  scroll.mockReset();
  document.documentElement.style.removeProperty("scroll-padding-bottom");
  document.body.replaceChildren();
});

function stand(bottom: number) {
  vi.spyOn(heading, "getBoundingClientRect").mockReturnValue({ top: bottom - 24, bottom } as DOMRect);
  return renderHook(() => {
    const [shown, select] = useState<string>();
    return { shown, ...useShown(HEADING, shown, select) };
  }).result;
}
const focused = () => document.activeElement;

it("what is pressed is gone to where it is told out of sight", () => {
  const ways = stand(window.innerHeight + 200);
  act(() => ways.current.press("a"));
  expect([ways.current.shown, focused()]).toEqual(["a", heading]);
  expect(scroll).toHaveBeenCalledOnce();
  // And again, where somebody has gone back up meanwhile.
  row.focus();
  act(() => ways.current.press("a"));
  expect(focused()).toBe(heading);
  expect(scroll).toHaveBeenCalledTimes(2);
});

it("what is pressed moves nothing where what is told of it can be seen, and keys go on where they are", () => {
  const ways = stand(100);
  act(() => ways.current.press("a"));
  expect([ways.current.shown, focused()]).toEqual(["a", row]);
  expect(scroll).not.toHaveBeenCalled();
});

it("what stands behind the bar at the edge cannot be seen", () => {
  const ways = stand(window.innerHeight - 20);
  document.documentElement.style.scrollPaddingBottom = "64px";
  act(() => ways.current.press("a"));
  expect(focused()).toBe(heading);
  expect(scroll).toHaveBeenCalledOnce();
});

it("what is to be shown has the focus, wherever it stands", () => {
  const ways = stand(100);
  act(() => ways.current.show("a"));
  expect(focused()).toBe(heading);
  expect(scroll).not.toHaveBeenCalled();
});
