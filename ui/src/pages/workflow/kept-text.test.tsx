import { cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Kept, readKept, useKeeping } from "./kept-text";

const PLACE = { owner: "olga main", workflowId: "01a21a4f-3d41-7000-8000-000000000001" };
const BASE = { revision: 3, text: "{}" };
const LONG_MS = 60_000;

beforeEach(() => {
  sessionStorage.clear();
  vi.useFakeTimers();
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

let forget: () => void;
function Editor({ kept }: { kept: Kept | undefined }) {
  forget = useKeeping(PLACE, kept);
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

it("nothing is kept of what somebody leaves on purpose", () => {
  const { unmount } = render(<Editor kept={written("schema: 1")} />);
  vi.advanceTimersByTime(LONG_MS);
  forget();
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
  sessionStorage.setItem(`flowforge.unsaved.${PLACE.owner}.${PLACE.workflowId}`, '{"format": "xml"}');
  expect(readKept(PLACE)).toBeUndefined();
});
