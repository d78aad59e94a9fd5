import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useRef } from "react";
import { Button } from "@/components/ui/button";
import { Search } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { usePermission } from "@/lib/me";
import { readSearchText } from "@/lib/search-text";
import { useShortcuts } from "@/lib/shortcuts";
import { type Workflow, create, importFile, workflowsQuery } from "./api";
import { TEMPLATES } from "./templates";
import { useAction } from "./use-actions";
import { WorkflowMenu } from "./workflow-menu";

/** All workflows of the workspace. */
export function WorkflowsPage() {
  const q = readSearchText(useSearch({ from: "/signed-in/workflows" }).q);
  const navigate = useNavigate({ from: "/workflows" });
  const query = useInfiniteQuery(workflowsQuery(q));
  const search = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search workflows", run: () => search.current?.focus() }]);
  const found = query.data?.pages.flatMap((page) => page.items);
  return (
    <>
      <PageHeader title="Workflows">
        <Search
          field={search}
          label="Search by name"
          className="w-56"
          text={q ?? ""}
          onText={(text) => void navigate({ search: readSearch(text), replace: true })}
        />
        <ImportButton />
      </PageHeader>
      <div className="px-4 md:px-6">
        {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {found !== undefined && found.length > 0 && <WorkflowTable workflows={found} />}
        {found?.length === 0 && (q === undefined ? <Templates /> : <NothingFound q={q} />)}
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

function readSearch(text: string): { q?: string } {
  return text.trim() === "" ? {} : { q: text };
}

function WorkflowTable({ workflows }: { workflows: readonly Workflow[] }) {
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className="px-3 py-2 font-normal">Name</th>
            <th className="px-3 py-2 font-normal">State</th>
            <th className="hidden px-3 py-2 font-normal sm:table-cell">Changed</th>
            <th className="w-12 px-2 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {workflows.map((workflow) => (
            <tr key={workflow.id} className="border-t border-line hover:bg-canvas">
              <td className="px-3 py-2">
                <Link
                  to="/runs"
                  search={{ workflow: workflow.id }}
                  className="font-semibold wrap-anywhere hover:underline"
                >
                  {workflow.name}
                </Link>
                {workflow.description !== "" && (
                  <p className="line-clamp-2 text-xs text-ink-3 wrap-anywhere">{workflow.description}</p>
                )}
              </td>
              <td className="px-3 py-2">
                <State workflow={workflow} />
              </td>
              <td className="hidden px-3 py-2 text-ink-2 sm:table-cell">
                <Moment at={workflow.updated_at} isRelative />
              </td>
              <td className="px-2 py-1 text-right">
                <WorkflowMenu workflow={workflow} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Colour belongs to runs: here words do. */
function State({ workflow: { enabled, published_version: version } }: { workflow: Workflow }) {
  if (version === null) return <span className="text-ink-3">Draft</span>;
  return (
    <span className={enabled ? "" : "text-ink-3"}>
      {enabled ? "On" : "Off"} <span className="font-mono text-xs text-ink-3">v{version}</span>
    </span>
  );
}

function ImportButton() {
  const input = useRef<HTMLInputElement>(null);
  const action = useAction();
  const mayWrite = usePermission("workflows:write");
  if (!mayWrite) return null;
  const take = (file: File) =>
    action.mutate({
      failure: `${file.name} was not imported.`,
      work: async () => {
        const { items } = await importFile(file);
        const faults = items.reduce((sum, item) => sum + item.problems.length, 0);
        const names = items.map((item) => item.name).join(", ");
        return faults === 0 ? `Imported ${names}.` : `Imported ${names}, with ${faults} faults to mend before publishing.`;
      },
    });
  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".yaml,.yml,.json"
        aria-label="Workflow file"
        className="hidden"
        onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file !== undefined) take(file);
        }}
      />
      <Button icon="import" isBusy={action.isPending} onClick={() => input.current?.click()}>
        Import
      </Button>
    </>
  );
}

function NothingFound({ q }: { q: string }) {
  const navigate = useNavigate({ from: "/workflows" });
  return (
    <EmptyState
      icon="search"
      title={`No workflow is called “${q}”`}
      action={<Button onClick={() => void navigate({ search: {}, replace: true })}>Show all</Button>}
    />
  );
}

function Templates() {
  const { mutate, isPending } = useAction();
  const mayWrite = usePermission("workflows:write");
  if (!mayWrite) {
    return (
      <EmptyState icon="workflows" title="No workflows yet">
        Whoever may edit workflows makes the first one.
      </EmptyState>
    );
  }
  return (
    <>
      <EmptyState icon="workflows" title="No workflows yet">
        Begin with one of these, or import a file.
      </EmptyState>
      <ul className="mx-auto grid max-w-3xl gap-3 sm:grid-cols-3">
        {TEMPLATES.map(({ name, description, definition }) => (
          <li key={name} className="flex flex-col gap-2 rounded-control border border-line bg-surface p-4">
            <h2 className="font-semibold">{name}</h2>
            <p className="grow text-ink-2">{description}</p>
            <Button
              icon="plus"
              isBusy={isPending}
              aria-label={`Make it: ${name}`}
              onClick={() =>
                mutate({
                  failure: `${name} was not made.`,
                  work: async () => `${(await create(name, definition, description)).name} is there. Publish it to run it.`,
                })
              }
            >
              Make it
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}
