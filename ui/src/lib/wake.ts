/** The clock is looked at so often. */
const TICK_MS = 5_000;
/** A tick that comes so much too late means that the machine slept, or the page was frozen: connections are dead then. */
const SLEPT_MS = 20_000;
/** Timers of a hidden page run but once a minute: there, it takes more. */
const SLEPT_HIDDEN_MS = 90_000;

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let last = 0;
let wasHidden = false;

/** Hear that the machine has slept or its network is back: whatever was connected has to be looked at anew. */
export function onWake(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    last = Date.now();
    timer = setInterval(look, TICK_MS);
    window.addEventListener("online", tell);
    document.addEventListener("visibilitychange", look);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    window.removeEventListener("online", tell);
    document.removeEventListener("visibilitychange", look);
  };
}

function look(): void {
  const now = Date.now();
  const isHidden = document.visibilityState === "hidden";
  const hasSlept = now - last > (wasHidden || isHidden ? SLEPT_HIDDEN_MS : SLEPT_MS);
  last = now;
  wasHidden = isHidden;
  if (hasSlept) tell();
}

function tell(): void {
  for (const listener of [...listeners]) listener();
}
