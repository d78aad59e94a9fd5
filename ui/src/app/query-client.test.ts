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

it("one that is under way as its form goes is looked after once in a while, and not without a pause", async () => {
  const looks = vi.spyOn(globalThis, "setTimeout");
  let answer: (value: string) => void = () => undefined;
  const form = new MutationObserver(queryClient, { mutationFn: () => new Promise<string>((resolve) => (answer = resolve)) });
  const leave = form.subscribe(() => undefined);
  const asked = form.mutate();
  await vi.waitFor(() => expect(queryClient.getMutationCache().getAll()[0]?.state.status).toBe("pending"));
  leave();
  const before = looks.mock.calls.length;
  const wait = new Promise((resolve) => setTimeout(resolve, 300));
  await wait;
  expect(looks.mock.calls.length - before).toBeLessThan(10);
  answer("done");
  await asked;
});
