import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import { useHold } from "./hold";
import { useLive } from "./live";

/** Above this, a person reads the newest rows: there, new ones may come in. */
const TOP_PIXELS = 80;

/** Whether somebody looks at the newest rows of a list. */
export function isAtTop(): boolean {
  return window.scrollY < TOP_PIXELS;
}

/** Read the first page of a list again. Those after it are dropped: nobody who looks at the top sees them. */
export async function readFirstPage(queryClient: QueryClient, queryKey: QueryKey): Promise<void> {
  queryClient.setQueryData<InfiniteData<unknown>>(queryKey, (data) =>
    data === undefined || data.pages.length < 2 ? data : { pages: data.pages.slice(0, 1), pageParams: data.pageParams.slice(0, 1) },
  );
  await queryClient.invalidateQueries({ queryKey });
}

interface Fresh {
  /** Where the cache keeps the list. */
  queryKey: QueryKey;
  everyMs: number;
  /** Has it read anew, soon. */
  ask: () => void;
  /** Whether nobody else tells of what is new; left out: nobody ever does. */
  isNeeded?: () => boolean;
}

/**
 * Ask for a list every so often, for as long as somebody looks at its top; until the function that this returns is called.
 *
 * Why it cannot be read at all stays to be read as well: asked for again, it would be said to be on its way instead. So that is left
 * to whoever tries again, and to the return of the stream.
 */
export function keepFresh(queryClient: QueryClient, { queryKey, everyMs, ask, isNeeded = () => true }: Fresh): () => void {
  const poll = setInterval(() => {
    const isThere = queryClient.getQueryData(queryKey) !== undefined;
    if (isThere && isAtTop() && !document.hidden && !useHold.getState().isHeld && isNeeded()) ask();
  }, everyMs);
  const stop = useLive.subscribe(({ status }, before) => {
    const cannotBeRead = queryClient.getQueryState(queryKey)?.status === "error";
    // Where only a further page of it could not be, rows stay in their places under the eyes of whoever has gone down.
    const isLookedAt = queryClient.getQueryData(queryKey) === undefined || isAtTop();
    if (status === "open" && before.status !== "open" && cannotBeRead && isLookedAt) ask();
  });
  return () => {
    clearInterval(poll);
    stop();
  };
}
