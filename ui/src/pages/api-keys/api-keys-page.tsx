import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Loaded, ShowMore } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { ForRole } from "@/features/permissions/for-role";
import { meQuery } from "@/lib/me";
import { apiKeysQuery } from "./api";
import { KeyTable } from "./key-table";
import { MakeKey } from "./make-key";

/** What programs sign in with. */
export function ApiKeysPage() {
  const me = useQuery(meQuery).data;
  return (
    <>
      <PageHeader title="API keys">{me?.permissions.includes("api_keys:write") === true && <MakeKey mine={me.role} />}</PageHeader>
      <div className="px-4 pb-8 md:px-6">
        <ForRole permission="api_keys:write" why="It takes an admin to see and make API keys.">
          <Keys />
        </ForRole>
      </div>
    </>
  );
}

function Keys() {
  const query = useInfiniteQuery(apiKeysQuery);
  return (
    <>
      <Loaded query={query}>
        {({ pages }) => {
          const keys = pages.flatMap((page) => page.items);
          return keys.length > 0 ? <KeyTable keys={keys} /> : <NoKeys />;
        }}
      </Loaded>
      <ShowMore query={query} />
    </>
  );
}

function NoKeys() {
  return (
    <EmptyState icon="key" title="No API keys yet">
      A program signs in with a key of its own, with a role and an end of its own.
    </EmptyState>
  );
}
