import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LongText } from "./long-text";

/** How high the text is, and how high of it is shown. */
let heights: { whole: number; shown: number };
let measure: () => void;
beforeEach(() => {
  heights = { whole: 20, shown: 20 };
  vi.spyOn(Element.prototype, "scrollHeight", "get").mockImplementation(() => heights.whole);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockImplementation(() => heights.shown);
  // The tests' browser lays nothing out.
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(onResize: () => void) {
        measure = () => act(onResize);
      }
      observe() {}
      disconnect() {
        measure = () => undefined;
      }
    },
  );
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const button = (name: string) => screen.queryByRole("button", { name });
const text = () => screen.getByText("A long story.");

it("what has room is shown, and nothing beside it", () => {
  render(<LongText text="A long story." />);
  measure();
  expect(screen.queryByRole("button")).toBeNull();
});

it("of what has none one sees how it begins, until one asks for the rest", () => {
  render(<LongText text="A long story." lines={3} />);
  heights.whole = 500;
  measure();
  expect(text().className).toContain("line-clamp-3");
  fireEvent.click(button("Show all of it") as HTMLElement);
  expect(text().className).not.toContain("line-clamp");
  heights.shown = 500;
  measure();
  const less = button("Show less") as HTMLElement;
  expect(less.getAttribute("aria-expanded")).toBe("true");
  less.focus();
  fireEvent.click(less);
  // It is the same button, so that the focus stays on it.
  expect([document.activeElement, button("Show all of it")]).toEqual([less, less]);
  expect(text().className).toContain("line-clamp-3");
});

it("where the screen becomes wide enough, there is nothing more to ask for", () => {
  render(<LongText text="A long story." />);
  heights.whole = 500;
  measure();
  expect(button("Show all of it")).not.toBeNull();
  heights.whole = 20;
  measure();
  expect(button("Show all of it")).toBeNull();
});
