import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Search } from "@/components/ui/field";
import { Loaded, ShowMore } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { type Workflow, workflowsQuery } from "@/features/workflows/api";
import { WorkflowState } from "@/features/workflows/state";
import { WorkflowMenu } from "@/features/workflows/workflow-menu";
import { useLive } from "@/lib/live";
import { usePermission } from "@/lib/me";
import { readSearchText } from "@/lib/search-text";
import { useShortcuts } from "@/lib/shortcuts";
import { nameTrigger } from "@/lib/trigger-words";
import { useSettledText } from "@/lib/use-settled";
import { ImportButton } from "./import-button";
import { RunMarks } from "./run-marks";
import { TemplateList } from "./template-list";
import { useLiveMarks } from "./use-live-marks";

/** All workflows of the workspace, each with how its last runs went. */
export function WorkflowsPage() {
  const written = readSearchText(useSearch({ from: "/signed-in/workflows" }).q);
  const q = useSettledText(written);
  const navigate = useNavigate({ from: "/workflows" });
  const isPolled = useLive((state) => state.status === "paused");
  const query = useInfiniteQuery(workflowsQuery(q, isPolled));
  useLiveMarks(q);
  const search = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search workflows", run: () => search.current?.focus() }]);
  return (
    <>
      <PageHeader title="Workflows">
        <Search
          field={search}
          label="Search by name"
          className="w-56"
          text={written ?? ""}
          onText={(text) => void navigate({ search: readSearch(text), replace: true })}
        />
        <ImportButton />
        <NewButton />
      </PageHeader>
      <div className="px-4 md:px-6">
        <Loaded query={query}>
          {({ pages }) => {
            const found = pages.flatMap((page) => page.items);
            if (found.length > 0) return <WorkflowTable workflows={found} />;
            return q === undefined ? <NoWorkflows /> : <NothingFound q={q} />;
          }}
        </Loaded>
        <ShowMore key={q} query={query} />
      </div>
    </>
  );
}

function readSearch(text: string): { q?: string } {
  return text.trim() === "" ? {} : { q: text };
}

const COLUMNS: readonly Column<Workflow>[] = [
  {
    title: "Name",
    cell: ({ id, name, description }) => (
      <>
        <Link to="/workflows/$workflowId" params={{ workflowId: id }} className="font-semibold wrap-anywhere hover:underline">
          <bdi>{name}</bdi>
        </Link>
        {description !== "" && <p dir="auto" className="line-clamp-2 text-left text-xs text-ink-3 wrap-anywhere">{description}</p>}
      </>
    ),
  },
  { title: "State", look: "whitespace-nowrap", cell: (workflow) => <WorkflowState workflow={workflow} /> },
  { title: "Starts by", from: "md", look: "text-ink-2", cell: ({ trigger_types: kinds }) => (kinds.length === 0 ? "–" : kinds.map(nameTrigger).join(", ")) },
  { title: "Last runs", from: "sm", cell: ({ recent_runs: runs }) => <RunMarks runs={runs} /> },
  {
    title: "Next run",
    from: "lg",
    look: "text-ink-2",
    cell: ({ next_fire_at: next }) => (next === null ? "–" : <Moment at={next} isRelative />),
  },
  { title: "Changed", from: "md", look: "text-ink-2", cell: ({ updated_at: at }) => <Moment at={at} isRelative /> },
  { title: "Actions", isForActions: true, width: "w-12", cell: (workflow) => <WorkflowMenu workflow={workflow} /> },
];

function WorkflowTable({ workflows }: { workflows: readonly Workflow[] }) {
  return <Table label="Workflows" columns={COLUMNS} rows={workflows} keyOf={({ id }) => id} />;
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
