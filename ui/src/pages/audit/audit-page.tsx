import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef } from "react";
import { Button } from "@/components/ui/button";
import { Loaded, ShowMore } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { useAction } from "@/components/ui/use-action";
import { ForRole } from "@/features/permissions/for-role";
import { usePermission } from "@/lib/me";
import { membersQuery } from "@/lib/people";
import { useShortcuts } from "@/lib/shortcuts";
import { useSettledFilters } from "@/lib/use-settled";
import { auditQuery, exportEntries } from "./api";
import { EntryList } from "./entry-list";
import { FilterBar } from "./filter-bar";
import { type AuditFilters, readAuditFilters } from "./filters";
import { VerifyButton } from "./verify-button";

/** Who did what, from where and when. */
export function AuditPage() {
  const search = useSearch({ from: "/signed-in/audit" });
  // The router hands on what it does not know as well.
  const filters = useMemo(() => readAuditFilters(search), [search]);
  const mayRead = usePermission("audit:read");
  return (
    <>
      <PageHeader title="Audit log">
        {mayRead && (
          <>
            <VerifyButton />
            <ExportButton filters={filters} />
          </>
        )}
      </PageHeader>
      <ForRole permission="audit:read" why="It takes an admin to read the audit log.">
        <Log filters={filters} />
      </ForRole>
    </>
  );
}

function Log({ filters }: { filters: AuditFilters }) {
  const query = useInfiniteQuery(auditQuery(useSettledFilters(filters)));
  const members = useQuery(membersQuery).data;
  const searchField = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search the audit log", run: () => searchField.current?.focus() }]);
  return (
    <>
      <FilterBar filters={filters} members={members} searchField={searchField} />
      <div className="pb-8 md:px-6">
        <Loaded query={query} rows={10}>
          {({ pages }) => {
            const entries = pages.flatMap((page) => page.items);
            return entries.length > 0 ? <EntryList entries={entries} /> : <NothingFound />;
          }}
        </Loaded>
        <ShowMore key={JSON.stringify(filters)} query={query} />
      </div>
    </>
  );
}

function ExportButton({ filters }: { filters: AuditFilters }) {
  const action = useAction();
  const isWhole = Object.keys(filters).length === 0;
  const save = async () => {
    await exportEntries(filters);
    return undefined;
  };
  return (
    <Button
      icon="export"
      isBusy={action.isPending}
      onClick={() => action.mutate({ failure: "The log was not exported.", work: save })}
    >
      {isWhole ? "Export all" : "Export these"}
    </Button>
  );
}

/** There is no log without an entry: who reads it has signed in, and that is one. */
function NothingFound() {
  const navigate = useNavigate({ from: "/audit" });
  return (
    <EmptyState
      icon="search"
      title="No entries match"
      action={<Button onClick={() => void navigate({ search: {}, replace: true })}>Show all</Button>}
    />
  );
}
