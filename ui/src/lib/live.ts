import { create } from "zustand";
import { type StreamEvent, Woken, delayOf, readStream } from "./event-stream";
import { setHeld, useHold } from "./hold";
import { ApiProblem } from "./problem";
import { onWake } from "./wake";

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
  /**
   * `paused`: it broke off, and is tried again at `retryAt`. Lists are asked for every few seconds meanwhile.
   * `held`: somebody has asked for it, and nothing that is shown changes by itself.
   */
  status: "connecting" | "open" | "paused" | "held";
  retryAt: number | undefined;
}

export const useLive = create<Live>(() => ({ status: useHold.getState().isHeld ? "held" : "connecting", retryAt: undefined }));

const listeners = new Set<Listener>();
const resets = new Set<() => void>();
let lastId: string | undefined;
let failures = 0;
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
  failures = 0;
  void run(controller.signal);
  const stop = onWake(retryNow);
  return () => {
    stop();
    controller.abort();
  };
}

/** Try again at once. */
export function retryNow(): void {
  wake?.();
}

/** Let what is shown stay as it is, until `resumeLive`; then all is read anew: what happened meanwhile is not told one by one. */
export function holdLive(): void {
  lastId = undefined;
  setHeld(true);
  useLive.setState({ status: "held", retryAt: undefined });
  // Whoever waits to try again waits to be let go instead.
  retryNow();
}

/** Go on after `holdLive`. */
export function resumeLive(): void {
  useLive.setState({ status: "connecting" });
  setHeld(false);
}

async function run(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let error: unknown;
    try {
      await readStream({ path: "/v1/stream", lastId, signal, onOpen, onLife, onEvents });
    } catch (caught) {
      if (signal.aborted) return;
      if (caught instanceof Woken) continue;
      if (caught instanceof ApiProblem && caught.status === 401) return;
      error = caught;
    }
    if (!signal.aborted && !useHold.getState().isHeld) await pause(signal, error);
  }
}

function onOpen(): void {
  // Nothing tells where to go on from: what happened before it was open was missed. At first that is what happened since the
  // page was read.
  const missed = lastId === undefined;
  useLive.setState({ status: "open", retryAt: undefined });
  if (missed) tellReset();
}

/** Only now: a server that takes every call and hangs up at once must not be asked again and again. */
function onLife(): void {
  failures = 0;
}

function onEvents(events: readonly StreamEvent[]): void {
  const told: LiveEvent[] = [];
  let hasGap = false;
  for (const { id, event, data } of events) {
    if (id !== undefined) lastId = id;
    if (event === "reset") hasGap = true;
    else if (data !== "") {
      const read = readEvent(data);
      if (read === undefined) hasGap = true;
      else told.push(read);
    }
  }
  if (told.length > 0) for (const listener of [...listeners]) listener(told);
  if (hasGap) tellReset();
}

/** What cannot be read was missed, and is no reason to hear no more. */
function readEvent(data: string): LiveEvent | undefined {
  try {
    return JSON.parse(data) as LiveEvent;
  } catch {
    return undefined;
  }
}

function tellReset(): void {
  for (const reset of [...resets]) reset();
}

function pause(signal: AbortSignal, error: unknown): Promise<void> {
  const delay = delayOf(failures, error);
  failures += 1;
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
