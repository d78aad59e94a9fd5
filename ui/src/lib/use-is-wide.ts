import { useSyncExternalStore } from "react";

/** The same width as the breakpoint `md` of styles.css. */
const query = window.matchMedia("(min-width: 48rem)");

function subscribe(listener: () => void): () => void {
  query.addEventListener("change", listener);
  return () => query.removeEventListener("change", listener);
}

/** Whether there is room for columns. */
export function useIsWide(): boolean {
  return useSyncExternalStore(subscribe, () => query.matches);
}
