import { QueryClient, QueryClientProvider, useMutation } from "@tanstack/react-query";
import { act, cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Dialog } from "@/components/ui/dialog";
import { useSession } from "@/lib/session";
import { MovedStrip } from "./moved-strip";

const follow = vi.fn<() => void>();
const TOLD = /^Another tab has gone to another workspace/;
let end: () => void;
beforeEach(() => follow.mockReset());
afterEach(() => {
  act(() => useSession.setState({ isMoved: false }));
  cleanup();
});

/** A page with a form in a dialog, which is closed as soon as it is sent. */
function Page() {
  const [isOpen, setIsOpen] = useState(true);
  const send = useMutation({ mutationFn: () => new Promise<void>((resolve) => (end = resolve)) });
  return (
    <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="A form">
      <input aria-label="Name" />
      <button
        type="button"
        onClick={() => {
          send.mutate();
          setIsOpen(false);
        }}
      >
        Send
      </button>
    </Dialog>
  );
}

function show(page = <Page />): void {
  render(
    <QueryClientProvider client={new QueryClient()}>
      {page}
      <MovedStrip follow={follow} />
    </QueryClientProvider>,
  );
}
const move = (isMoved: boolean) => act(() => useSession.setState({ isMoved }));

it("a page follows at once where nothing is filled in", () => {
  show(<p>Runs</p>);
  expect([follow.mock.calls.length, screen.queryByText(TOLD)]).toEqual([0, null]);
  move(true);
  expect(follow).toHaveBeenCalledOnce();
});

it("a page follows only once what is filled in has been left, and says so", () => {
  show();
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "typed" } });
  move(true);
  expect(screen.getByText(TOLD).textContent).toContain("follows once the dialog is closed.");
  expect(screen.getByLabelText("Name")).toHaveProperty("value", "typed");
  expect(follow).not.toHaveBeenCalled();
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(follow).toHaveBeenCalledOnce();
});

it("a page follows only once what was sent has come to an end", async () => {
  show();
  move(true);
  fireEvent.click(screen.getByRole("button", { name: "Send" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(follow).not.toHaveBeenCalled();
  act(() => end());
  await waitFor(() => expect(follow).toHaveBeenCalledOnce());
});

it("a page stays where the other tab has come back meanwhile", () => {
  show();
  move(true);
  move(false);
  expect(screen.queryByText(TOLD)).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(follow).not.toHaveBeenCalled();
});

it("whoever stays for something unsaved is not asked again by whatever they do next, and follows when they like", () => {
  show();
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  move(true);
  expect(follow).toHaveBeenCalledOnce();
  expect(screen.getByText(TOLD).textContent).toContain("stays until you follow it.");
  cleanup();
  show(<Again />);
  fireEvent.click(screen.getByRole("button", { name: "Open" }));
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(follow).toHaveBeenCalledTimes(2);
  fireEvent.click(screen.getByRole("button", { name: "Open" }));
  fireEvent.click(screen.getByRole("button", { name: "Close" }));
  expect(follow).toHaveBeenCalledTimes(2);
  fireEvent.click(screen.getByRole("button", { name: "Follow it" }));
  expect(follow).toHaveBeenCalledTimes(3);
});

/** A page with a dialog that is opened now and then. */
function Again() {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setIsOpen(true)}>
        Open
      </button>
      <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="A form">
        Something
      </Dialog>
    </>
  );
}
