import { cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import { type Kept, readKept, useKeeping } from "./kept-text";

const PLACE = { owner: "olga main", workflowId: "01a21a4f-3d41-7000-8000-000000000001" };
const BASE = { revision: 3, text: "{}" };
const LONG_MS = 60_000;

beforeEach(() => {
  sessionStorage.clear();
  useSession.setState({ status: "signed-in", isSignedOut: false });
  vi.useFakeTimers();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

let leave: () => void;
function Editor({ kept }: { kept: Kept | undefined }) {
  leave = useKeeping(PLACE, kept);
  return null;
}
const written = (text: string): Kept => ({ format: "yaml", text, base: BASE });

it("what is written is kept after a moment, and no more once it is saved", () => {
  const { rerender } = render(<Editor kept={undefined} />);
  rerender(<Editor kept={written("schema: 1")} />);
  vi.advanceTimersByTime(LONG_MS);
  expect(readKept(PLACE)).toEqual(written("schema: 1"));
  rerender(<Editor kept={undefined} />);
  expect(readKept(PLACE)).toBeUndefined();
});

it("the last letters are kept where the page is taken away", () => {
  const { unmount } = render(<Editor kept={written("schema: 1 #")} />);
  unmount();
  expect(readKept(PLACE)).toEqual(written("schema: 1 #"));
});

it("nothing is kept of what somebody leaves on purpose, once the page has gone", () => {
  const { unmount } = render(<Editor kept={written("schema: 1")} />);
  vi.advanceTimersByTime(LONG_MS);
  leave();
  unmount();
  vi.advanceTimersByTime(LONG_MS);
  expect(readKept(PLACE)).toBeUndefined();
});

it("what somebody wanted to leave is kept where they could not, until the session has run out", () => {
  const { unmount } = render(<Editor kept={written("schema: 1")} />);
  vi.advanceTimersByTime(LONG_MS);
  leave();
  // The sign-out was refused, and the page is still there.
  expect(readKept(PLACE)).toEqual(written("schema: 1"));
  useSession.setState({ status: "anonymous" });
  unmount();
  expect(readKept(PLACE)).toEqual(written("schema: 1"));
});

it("nothing is kept where somebody has signed out, be it in another tab", () => {
  const { unmount } = render(<Editor kept={written("schema: 1")} />);
  useSession.setState({ status: "anonymous", isSignedOut: true });
  unmount();
  vi.advanceTimersByTime(LONG_MS);
  expect(readKept(PLACE)).toBeUndefined();
});

it("what was kept stays until it is shown again, and belongs to nobody else", () => {
  render(<Editor kept={written("schema: 1")} />).unmount();
  render(<Editor kept={undefined} />);
  expect(readKept(PLACE)).toEqual(written("schema: 1"));
  expect(readKept({ ...PLACE, owner: "vera main" })).toBeUndefined();
  expect(readKept({ ...PLACE, workflowId: "01a21a4f-3d41-7000-8000-000000000002" })).toBeUndefined();
});

it("what is no kept text is none", () => {
  sessionStorage.setItem(`flowforge.unsaved.${PLACE.owner}.${PLACE.workflowId}`, "{");
  expect(readKept(PLACE)).toBeUndefined();
  for (const text of ['{"format": "xml"}', '{"format": "yaml"}']) {
    sessionStorage.setItem(`flowforge.unsaved.${PLACE.owner}.${PLACE.workflowId}`, text);
    expect(readKept(PLACE)).toBeUndefined();
  }
});
