import { focusManager } from "@tanstack/react-query";
import { create } from "zustand";

interface Hold {
  /** Somebody has asked that nothing on the pages changes by itself (WCAG 2.2.2). */
  isHeld: boolean;
}

/** Where this tab keeps it. */
const KEY = "flowforge.held";

export const useHold = create<Hold>(() => ({ isHeld: false }));

/** Let nothing change by itself any more, or let everything go on; so it stays where this tab is loaded anew. */
export function setHeld(isHeld: boolean): void {
  keep(isHeld);
  useHold.setState({ isHeld });
  // Styles let nothing move by it.
  document.documentElement.toggleAttribute("data-held", isHeld);
  // What is asked for every few seconds, or when somebody comes back to the page, rests as it does in the background; once that
  // is over, what has become old is asked for at once.
  focusManager.setFocused(isHeld ? false : undefined);
}

/** Wait until nothing is held; at once where nothing is, and when `signal` says that nobody waits any more. */
export function whenFree(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (useHold.getState().isHeld && !signal.aborted) return;
      stop();
      signal.removeEventListener("abort", look);
      resolve();
    };
    const stop = useHold.subscribe(look);
    signal.addEventListener("abort", look);
    look();
  });
}

/** Call `leave` when everything is held from now on; until the function that this returns is called. */
export function onHeld(leave: () => void): () => void {
  return useHold.subscribe(({ isHeld }) => {
    if (isHeld) leave();
  });
}

function keep(isHeld: boolean): void {
  try {
    if (isHeld) sessionStorage.setItem(KEY, "yes");
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage is switched off: it holds for this page.
  }
}

function wasHeld(): boolean {
  try {
    return sessionStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

// The app loads itself anew for a newer bundle, and browsers do so with tabs that they had put away: nobody has resumed by that.
if (wasHeld()) setHeld(true);
