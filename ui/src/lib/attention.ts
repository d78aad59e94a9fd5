/** A page that nobody has seen for so long lets go of its streams. */
const GRACE_MS = 10_000;

/**
 * Wait until somebody looks at the page; at once where somebody does, and when `signal` says that nobody waits any more.
 *
 * Over HTTP/1.1 a browser has six connections to a server, for all tabs together. Streams of tabs in the background would keep
 * them all, and the page in front would wait for ever.
 */
export function whenSeen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.visibilityState === "hidden" && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}

/** Call `leave` once nobody has looked at the page for a while; until the function that this returns is called. */
export function onLeft(leave: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    timer = document.visibilityState === "hidden" ? setTimeout(leave, GRACE_MS) : undefined;
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}
