import { createMemoryHistory } from "@tanstack/react-router";
import { expect, it, vi } from "vitest";
import { mayLeave } from "./leave";

it("nobody is asked where nothing is unsaved", async () => {
  expect(await mayLeave(createMemoryHistory())).toBe(true);
});

it("whoever stays is asked about nothing more, and is where they were", async () => {
  const history = createMemoryHistory({ initialEntries: ["/workflows/1"] });
  const other = vi.fn(() => false);
  history.block({ blockerFn: () => Promise.resolve(true) });
  history.block({ blockerFn: other });
  expect(await mayLeave(history)).toBe(false);
  expect(other).not.toHaveBeenCalled();
  expect(history.location.pathname).toBe("/workflows/1");
});

it("whoever leaves has been asked about all that is unsaved", async () => {
  const history = createMemoryHistory();
  const asked = [vi.fn(() => false), vi.fn(() => Promise.resolve(false))];
  for (const blockerFn of asked) history.block({ blockerFn });
  expect(await mayLeave(history)).toBe(true);
  for (const blockerFn of asked) expect(blockerFn).toHaveBeenCalledOnce();
});
