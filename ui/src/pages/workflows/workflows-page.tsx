import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Search } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { type Workflow, workflowsQuery } from "@/features/workflows/api";
import { WorkflowState } from "@/features/workflows/state";
import { WorkflowMenu } from "@/features/workflows/workflow-menu";
import { useLive } from "@/lib/live";
import { usePermission } from "@/lib/me";
import { readSearchText } from "@/lib/search-text";
import { useShortcuts } from "@/lib/shortcuts";
import { ImportButton } from "./import-button";
import { RunMarks } from "./run-marks";
import { TemplateList } from "./template-list";
import { useLiveMarks } from "./use-live-marks";

/** All workflows of the workspace, each with how its last runs went. */
export function WorkflowsPage() {
  const q = readSearchText(useSearch({ from: "/signed-in/workflows" }).q);
  const navigate = useNavigate({ from: "/workflows" });
  const isPolled = useLive((state) => state.status === "paused");
  const query = useInfiniteQuery(workflowsQuery(q, isPolled));
  useLiveMarks(q);
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
        <NewButton />
      </PageHeader>
      <div className="px-4 md:px-6">
        {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {found !== undefined && found.length > 0 && <WorkflowTable workflows={found} />}
        {found?.length === 0 && (q === undefined ? <NoWorkflows /> : <NothingFound q={q} />)}
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

const HEAD = "px-3 py-2 font-normal";

function WorkflowTable({ workflows }: { workflows: readonly Workflow[] }) {
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className={HEAD}>Name</th>
            <th className={HEAD}>State</th>
            <th className={`hidden md:table-cell ${HEAD}`}>Starts by</th>
            <th className={`hidden sm:table-cell ${HEAD}`}>Last runs</th>
            <th className={`hidden lg:table-cell ${HEAD}`}>Next run</th>
            <th className={`hidden md:table-cell ${HEAD}`}>Changed</th>
            <th className="w-12 px-2 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {workflows.map((workflow) => (
            <WorkflowRow key={workflow.id} workflow={workflow} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function WorkflowRow({ workflow }: { workflow: Workflow }) {
  const { id, name, description, trigger_types: kinds, next_fire_at: next } = workflow;
  return (
    <tr className="border-t border-line hover:bg-canvas">
      <td className="px-3 py-2">
        <Link to="/workflows/$workflowId" params={{ workflowId: id }} className="font-semibold wrap-anywhere hover:underline">
          {name}
        </Link>
        {description !== "" && <p className="line-clamp-2 text-xs text-ink-3 wrap-anywhere">{description}</p>}
      </td>
      <td className="px-3 py-2 whitespace-nowrap">
        <WorkflowState workflow={workflow} />
      </td>
      <td className="hidden px-3 py-2 text-ink-2 md:table-cell">{kinds.length === 0 ? "–" : kinds.join(", ")}</td>
      <td className="hidden px-3 py-2 sm:table-cell">
        <RunMarks runs={workflow.recent_runs} />
      </td>
      <td className="hidden px-3 py-2 text-ink-2 lg:table-cell">{next === null ? "–" : <Moment at={next} isRelative />}</td>
      <td className="hidden px-3 py-2 text-ink-2 md:table-cell">
        <Moment at={workflow.updated_at} isRelative />
      </td>
      <td className="px-2 py-1 text-right">
        <WorkflowMenu workflow={workflow} />
      </td>
    </tr>
  );
}

/** A new workflow begins with a template; where there are none yet, the page itself shows them. */
function NewButton() {
  const [isOpen, setIsOpen] = useState(false);
  const mayWrite = usePermission("workflows:write");
  if (!mayWrite) return null;
  return (
    <>
      <Button kind="primary" icon="plus" onClick={() => setIsOpen(true)}>
        New workflow
      </Button>
      <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="Begin with" isWide>
        <TemplateList />
      </Dialog>
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

function NoWorkflows() {
  const mayWrite = usePermission("workflows:write");
  return (
    <>
      <EmptyState icon="workflows" title="No workflows yet">
        {mayWrite ? "Begin with one of these, or import a file." : "Whoever may edit workflows makes the first one."}
      </EmptyState>
      {mayWrite && <TemplateList />}
    </>
  );
}
