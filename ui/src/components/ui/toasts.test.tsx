import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Dialog } from "./dialog";
import { Toasts, toast } from "./toasts";

const LONG_MS = 60_000;

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  for (const button of screen.queryAllByRole("button", { name: "Dismiss" })) fireEvent.click(button);
  cleanup();
  vi.useRealTimers();
});

function show(kind: "done" | "failed"): void {
  render(<Toasts />);
  act(() => toast(kind, "It is told."));
}
function pass(): void {
  act(() => {
    vi.advanceTimersByTime(LONG_MS);
  });
}
const isThere = () => screen.queryByText("It is told.") !== null;

it("what was done is told for a while", () => {
  show("done");
  expect(isThere()).toBe(true);
  pass();
  expect(isThere()).toBe(false);
});

it("it stays while somebody points at it, or is in it by keyboard", () => {
  show("done");
  const box = screen.getByText("It is told.").parentElement as HTMLElement;
  fireEvent.pointerEnter(box);
  pass();
  expect(isThere()).toBe(true);
  fireEvent.pointerLeave(box);
  fireEvent.focus(screen.getByRole("button", { name: "Dismiss" }));
  pass();
  expect(isThere()).toBe(true);
  fireEvent.blur(screen.getByRole("button", { name: "Dismiss" }));
  pass();
  expect(isThere()).toBe(false);
});

it("it leads on from what was done", () => {
  render(<Toasts />);
  act(() => toast("done", "It is told.", <a href="/runs">Show it</a>));
  expect(screen.getByText(/^It is told\./).contains(screen.getByRole("link", { name: "Show it" }))).toBe(true);
});

it("a way on is there as long as a dialog keeps somebody from it", () => {
  const ask = (isOpen: boolean) => (
    <>
      <Dialog isOpen={isOpen} onClose={() => undefined} title="Leave without saving?">
        Stay
      </Dialog>
      <Toasts />
    </>
  );
  const { rerender } = render(ask(true));
  act(() => toast("done", "It has begun.", <a href="/runs">Show it</a>));
  pass();
  expect(screen.queryByText(/^It has begun\./)).not.toBeNull();
  rerender(ask(false));
  pass();
  expect(screen.queryByText(/^It has begun\./)).toBeNull();
});

it("what has failed stays until it is dismissed", () => {
  show("failed");
  pass();
  expect(isThere()).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "Dismiss" }));
  expect(isThere()).toBe(false);
});
