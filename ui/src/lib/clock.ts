import { useSyncExternalStore } from "react";
import { useHold } from "./hold";

/** One clock for the page, once a second, and none while nobody looks. */
let own = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** How far the server's clock is ahead of this machine's, in milliseconds; 0 where they agree well enough. */
let lead = 0;
/** The server tells its time in whole seconds, and an answer takes a while: a smaller difference says nothing. */
const AGREE_MS = 10_000;

function tick(): void {
  own = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  // Nobody has looked at it for a while: it may have stood still for as long.
  if (timer === undefined) own = Date.now();
  listeners.add(listener);
  timer ??= setInterval(tick, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Take note of the time at the server, as the header `Date` of a fresh answer tells it. */
export function noteServerTime(date: string | null): void {
  const told = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(told)) return;
  const difference = told - Date.now();
  lead = Math.abs(difference) < AGREE_MS ? 0 : difference;
}

/** The time at the server: what the API tells is measured by it, however wrong the clock of this machine is. */
export function serverNow(): number {
  return Date.now() + lead;
}

/** Know the time as one comes, and hear no more of it. */
function look(): () => void {
  own = Date.now();
  return () => undefined;
}

/** The time at the server, which moves on once a second; while everything is held, it stands still for what is shown already. */
export function useNow(): number {
  const isHeld = useHold((state) => state.isHeld);
  return useSyncExternalStore(isHeld ? look : subscribe, () => own + lead);
}

/** The time of this machine's own clock, which moves on once a second. */
export function useOwnNow(): number {
  return useSyncExternalStore(subscribe, () => own);
}
