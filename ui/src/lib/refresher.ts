/** Asks for something to be read anew, however often it is called. */
export interface Refresher {
  /** It is done soon, once for all who ask meanwhile. */
  ask: () => void;
  /** It is not done any more. */
  stop: () => void;
}

/** An answer that has not come by then may never come: the machine has slept, or the network is another one. */
const LONGEST_MS = 30_000;

/**
 * Work that is asked for more often than it is to be done: `pauseMs` after it was asked for, and never twice at once.
 *
 * Where the work takes longer than the pause, it rests as long as it took: work that began anew with every change would never
 * come to an end on a slow network, and a large run would be read without a break.
 */
export function createRefresher(work: () => Promise<unknown>, pauseMs: number): Refresher {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isAtWork = false;
  let isAsked = false;
  let isStopped = false;
  const begin = async () => {
    timer = undefined;
    isAsked = false;
    isAtWork = true;
    const began = Date.now();
    await within(LONGEST_MS, work());
    isAtWork = false;
    if (isAsked && !isStopped) timer = setTimeout(() => void begin(), Math.max(pauseMs, Date.now() - began));
  };
  return {
    ask: () => {
      if (isStopped) return;
      if (isAtWork) isAsked = true;
      else timer ??= setTimeout(() => void begin(), pauseMs);
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** Wait for the end of something, whatever comes of it, but no longer than so long. */
function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    work.then(finish, finish);
  });
}
