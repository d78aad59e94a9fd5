import { MutationObserver } from "@tanstack/react-query";
import { expect, it, vi } from "vitest";
import { queryClient } from "./query-client";

const PATIENCE_MS = 20_000;

it("what was sent and answered, like a password or a key, is forgotten with the form that it came from", async () => {
  const form = new MutationObserver(queryClient, { mutationFn: (password: string) => Promise.resolve(`ff_key for ${password}`) });
  const leave = form.subscribe(() => undefined);
  await form.mutate("correct horse");
  const kept = () => queryClient.getMutationCache().getAll().map(({ state }) => [state.variables, state.data]);
  expect(kept()).toEqual([["correct horse", "ff_key for correct horse"]]);
  leave();
  await vi.waitFor(() => expect(kept()).toEqual([]), { timeout: PATIENCE_MS });
});

it("a form that stays can have it forgotten", async () => {
  const form = new MutationObserver(queryClient, { mutationFn: () => Promise.resolve("done") });
  const leave = form.subscribe(() => undefined);
  await form.mutate();
  form.reset();
  await vi.waitFor(() => expect(queryClient.getMutationCache().getAll()).toEqual([]), { timeout: PATIENCE_MS });
  leave();
});
