import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";

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
