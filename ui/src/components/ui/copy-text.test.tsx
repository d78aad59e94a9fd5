import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { copyText } from "./copy-text";
import { Toasts } from "./toasts";

afterEach(() => {
  cleanup();
  Reflect.deleteProperty(navigator, "clipboard");
});

/** In a browser whose clipboard is this one. */
async function copyIn(clipboard: unknown, what: string): Promise<void> {
  Object.defineProperty(navigator, "clipboard", { value: clipboard, configurable: true });
  render(<Toasts />);
  await act(() => copyText("ff_secret", what));
}

it("a text is copied, and that is said", async () => {
  const writeText = vi.fn(() => Promise.resolve());
  await copyIn({ writeText }, "The key");
  expect(writeText).toHaveBeenCalledExactlyOnceWith("ff_secret");
  expect(screen.getByText("The key was copied.")).toBeTruthy();
});

it.each([
  ["without a clipboard, as over plain http", undefined, "The link"],
  ["that refuses", { writeText: () => Promise.reject(new DOMException("no", "NotAllowedError")) }, "The address"],
])("a browser %s leaves it to the reader, and says so", async (_, clipboard, what) => {
  await copyIn(clipboard, what);
  expect(screen.getByText(`${what} was not copied, since the browser refuses. Mark it and copy it by hand.`)).toBeTruthy();
});
