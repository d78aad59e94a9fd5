import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { meQuery } from "@/lib/me";
import { apiKeysQuery } from "./api";
import { KeyTable } from "./key-table";
import { MakeKey } from "./make-key";

/** What programs sign in with. */
export function ApiKeysPage() {
  const query = useInfiniteQuery(apiKeysQuery);
  const me = useQuery(meQuery).data;
  const keys = query.data?.pages.flatMap((page) => page.items);
  return (
    <>
      <PageHeader title="API keys">{me?.permissions.includes("api_keys:write") === true && <MakeKey mine={me.role} />}</PageHeader>
      <div className="px-4 pb-8 md:px-6">
        {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {keys !== undefined && keys.length > 0 && <KeyTable keys={keys} />}
        {keys?.length === 0 && (
          <EmptyState icon="key" title="No API keys yet">
            A program signs in with a key of its own, with a role and an end of its own.
          </EmptyState>
        )}
        {query.hasNextPage && (
          <div className="flex justify-center py-4">
            <Button isBusy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              Show more
            </Button>
          </div>
        )}
      </div>
    </>
  );
}
