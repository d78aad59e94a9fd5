import { act, cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { type ReactNode, useState } from "react";
import { flushSync } from "react-dom";
import { afterEach, expect, it, vi } from "vitest";
import { Button } from "./button";
import { Confirm } from "./confirm";
import { Dialog } from "./dialog";
import { Toasts, toast } from "./toasts";

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

const ACTIONS = (
  <>
    <Button>Cancel</Button>
    <Button kind="primary">Do it</Button>
  </>
);

function show(children: ReactNode, more: { actions?: ReactNode; isFirm?: boolean; isToRead?: boolean } = {}): void {
  render(
    <Dialog isOpen onClose={() => undefined} title="A dialog" {...more}>
      {children}
    </Dialog>,
  );
}

const focused = () => document.activeElement;

it("the first field that can be filled in has the focus", () => {
  const fields = (
    <>
      <button type="button">Paste</button>
      <input type="hidden" name="id" />
      <input aria-label="Off" disabled />
      <select aria-label="Kind" />
      <input aria-label="Name" />
    </>
  );
  show(fields, { actions: ACTIONS });
  expect(focused()).toBe(screen.getByLabelText("Kind"));
});

it("where there is nothing to fill in, the button has it that changes nothing", () => {
  render(
    <Confirm isOpen onClose={() => undefined} title="Delete it?" verb="Delete" onConfirm={() => undefined}>
      It is <a href="/">used</a>.
    </Confirm>,
  );
  expect(focused()).toBe(screen.getByRole("button", { name: "Keep it" }));
});

it("no slip of a key loses what is shown once", () => {
  show(<button type="button">Copy</button>, { actions: <Button>I have stored it</Button>, isFirm: true });
  expect(focused()).toBe(screen.getByRole("button", { name: "Copy" }));
});

it("what is to be read is read from its beginning", () => {
  show(<input aria-label="Name" />, { isToRead: true });
  expect(focused()).toBe(screen.getByRole("dialog", { name: "A dialog" }));
});

it("a dialog of words alone has the focus itself, and not the button that closes it", () => {
  show("Only words");
  expect(focused()).toBe(screen.getByRole("dialog", { name: "A dialog" }));
});

it("words that have no room have the focus, so that arrows scroll them, and Tab leads back to them", () => {
  let measure = () => undefined as void;
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(onResize: () => void) {
        measure = () => act(onResize);
      }
      observe() {}
      disconnect() {}
    },
  );
  vi.spyOn(Element.prototype, "scrollHeight", "get").mockReturnValue(900);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(300);
  show("Very many words", { isToRead: true });
  measure();
  const words = screen.getByRole("group", { name: "A dialog" });
  expect([words.textContent, words.tabIndex]).toEqual(["Very many words", 0]);
  expect(focused()).toBe(words);
});

it("words that have room are no stop of Tab", () => {
  show("Only words");
  expect(screen.queryByRole("group")).toBeNull();
  expect(screen.getByRole("dialog").querySelector('[tabindex="0"]')).toBeNull();
});

function Opener() {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setIsOpen(true)}>
        Open
      </button>
      <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="A dialog">
        <input aria-label="First" />
        {/* eslint-disable-next-line jsx-a11y/no-autofocus -- what a dialog makes of it is what is tested */}
        <input aria-label="Asks for it" autoFocus />
      </Dialog>
    </>
  );
}

it("what opened it has the focus again, also where a field has asked for it", async () => {
  render(<Opener />);
  const button = screen.getByRole("button", { name: "Open" });
  button.focus();
  fireEvent.click(button);
  expect(focused()).toBe(screen.getByLabelText("Asks for it"));
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  await waitFor(() => expect(focused()).toBe(button));
});

it("a toast is dismissed beside it, and what is pressed elsewhere closes it", async () => {
  render(
    <>
      <Opener />
      <Toasts />
    </>,
  );
  act(() => toast("failed", "It is told."));
  fireEvent.click(screen.getByRole("button", { name: "Open" }));
  const field = screen.getByLabelText("First");
  fireEvent.change(field, { target: { value: "typed" } });
  // Other files may have left toasts of their own.
  const box = screen.getByText("It is told.").parentElement as HTMLElement;
  const dismiss = within(box).getByRole("button", { name: "Dismiss" });
  // Radix listens for presses a moment after it has opened.
  await act(() => new Promise((resolve) => setTimeout(resolve)));
  // As in browsers: the toast has gone before the click has come as far as to what waits for it at the document.
  document.addEventListener("click", () => flushSync(() => undefined), { once: true });
  fireEvent.pointerDown(dismiss);
  dismiss.click();
  expect(screen.queryByText("It is told.")).toBeNull();
  expect(screen.getByLabelText("First")).toHaveProperty("value", "typed");
  fireEvent.pointerDown(document.body);
  fireEvent.click(document.body);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});
