import { createParser } from "eventsource-parser";
import { create } from "zustand";
import { authorizedFetch } from "./api";
import { ApiProblem } from "./problem";
import { readProblem } from "./session";

/** What the stream tells about a run. */
export interface LiveEvent {
  type: string;
  run_id: string;
  workflow_id: string;
  status: string;
  seq: number;
  at: string;
}

type Listener = (events: readonly LiveEvent[]) => void;

interface Live {
  /** `paused`: it broke off, and is tried again at `retryAt`. */
  status: "connecting" | "open" | "paused";
  retryAt: number | undefined;
}

export const useLive = create<Live>(() => ({ status: "connecting", retryAt: undefined }));

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 30_000;
/** The server shows that it is alive every 15 s; after so much silence the connection is dead, as after a laptop's sleep. */
const SILENCE_MS = 45_000;

const listeners = new Set<Listener>();
const resets = new Set<() => void>();
let lastId: string | undefined;
let attempts = 0;
let wake: (() => void) | undefined;

/** Hear of changes of runs in the workspace; `onReset` is told when some were missed, and all must be read anew. */
export function listen(onEvents: Listener, onReset: () => void): () => void {
  listeners.add(onEvents);
  resets.add(onReset);
  return () => {
    listeners.delete(onEvents);
    resets.delete(onReset);
  };
}

/** Open the stream and keep it open until the function that this returns is called. */
export function keepLive(): () => void {
  const controller = new AbortController();
  lastId = undefined;
  attempts = 0;
  void run(controller.signal);
  const hurry = () => retryNow();
  window.addEventListener("online", hurry);
  return () => {
    window.removeEventListener("online", hurry);
    controller.abort();
  };
}

/** Try again at once. */
export function retryNow(): void {
  wake?.();
}

async function run(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await follow(signal);
      attempts = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiProblem && error.status === 401) return;
    }
    if (!signal.aborted) await pause(signal);
  }
}

/** Read the stream until it ends. */
async function follow(signal: AbortSignal): Promise<void> {
  const quiet = new AbortController();
  const headers = lastId === undefined ? {} : { "last-event-id": lastId };
  const url = new URL("/v1/stream", location.origin);
  const response = await authorizedFetch(
    new Request(url, { headers, cache: "no-store", signal: AbortSignal.any([signal, quiet.signal]) }),
  );
  if (!response.ok || response.body === null) throw new ApiProblem(await readProblem(response), response);
  const missed = useLive.getState().status === "paused" && lastId === undefined;
  useLive.setState({ status: "open", retryAt: undefined });
  attempts = 0;
  if (missed) tellReset();
  let batch: LiveEvent[] = [];
  const parser = createParser({
    onEvent({ id, event, data }) {
      if (id !== undefined) lastId = id;
      if (event === "reset") tellReset();
      else if (data !== "") batch.push(JSON.parse(data) as LiveEvent);
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const silence = setTimeout(() => quiet.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
    if (batch.length > 0) {
      const events = batch;
      batch = [];
      for (const listener of listeners) listener(events);
    }
  }
}

function tellReset(): void {
  for (const reset of resets) reset();
}

function pause(signal: AbortSignal): Promise<void> {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempts) * (0.75 + Math.random() / 2);
  attempts += 1;
  useLive.setState({ status: "paused", retryAt: Date.now() + delay });
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      wake = undefined;
      resolve();
    };
    const timer = setTimeout(finish, delay);
    wake = finish;
    signal.addEventListener("abort", finish);
  });
}
