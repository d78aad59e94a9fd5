import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { useAction } from "@/components/ui/use-action";
import { Allowed } from "@/features/permissions/allowed";
import { WORKFLOW, WORKFLOWS, publish } from "@/features/workflows/api";
import { WorkflowState } from "@/features/workflows/state";
import { WorkflowMenu } from "@/features/workflows/workflow-menu";
import { classNames } from "@/lib/class-names";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { type Draft, workflowQuery } from "./api";
import { DefinitionTab } from "./definition-tab";
import { DetailsButton } from "./details-dialog";
import { GraphTab } from "./graph-tab";
import { RunButton } from "./run-button";
import { RunsTab } from "./runs-tab";
import { TABS, type Tab, readWorkflowSearch } from "./search";
import { TestButton } from "./test-button";
import { TriggersTab } from "./triggers-tab";
import { VersionsTab } from "./versions-tab";

const LABELS = {
  graph: "Graph",
  definition: "Definition",
  versions: "Versions",
  triggers: "Triggers",
  runs: "Runs",
} satisfies Record<Tab, string>;

/** One workflow: its draft, its versions, what starts it, and how it went. */
export function WorkflowPage() {
  const { workflowId } = useParams({ from: "/signed-in/workflows/$workflowId" });
  const query = useQuery(workflowQuery(workflowId));
  if (query.isPending) {
    return (
      <>
        <PageHeader title="Workflow" />
        <LoadingRows />
      </>
    );
  }
  // What was there stays, and is asked for again.
  if (query.data === undefined) return <ErrorState isPage error={query.error} onRetry={() => void query.refetch()} />;
  return <WorkflowView key={workflowId} draft={query.data} />;
}

function WorkflowView({ draft }: { draft: Draft }) {
  const { tab = "graph" } = readWorkflowSearch(useSearch({ from: "/signed-in/workflows/$workflowId" }));
  const navigate = useNavigate();
  const { detail } = draft;
  return (
    <>
      <PageHeader title={detail.name}>
        <WorkflowState workflow={detail} />
        <Allowed to="workflows:write" why="It takes an editor to rename, test or publish it.">
          <DetailsButton detail={detail} />
          <TestButton workflow={detail} />
        </Allowed>
        <RunButton workflow={detail} />
        <PublishButton detail={detail} />
        <WorkflowMenu workflow={detail} onDeleted={() => void navigate({ to: "/workflows" })} />
      </PageHeader>
      <Facts draft={draft} />
      <nav aria-label="Parts of the workflow" className="flex overflow-x-auto border-b border-line px-4 md:px-6">
        {TABS.map((one) => (
          <Link
            key={one}
            to="/workflows/$workflowId"
            params={{ workflowId: detail.id }}
            search={one === "graph" ? {} : { tab: one }}
            replace
            resetScroll={false}
            aria-current={one === tab ? "page" : undefined}
            className={classNames(
              "-mb-px border-b-2 px-3 py-2 whitespace-nowrap focus-visible:-outline-offset-2",
              one === tab ? "border-ink font-semibold" : "border-transparent text-ink-2 hover:text-ink",
            )}
          >
            {LABELS[one]}
          </Link>
        ))}
      </nav>
      <div className="px-4 py-4 md:px-6">
        {tab === "graph" && <GraphTab draft={draft} />}
        {tab === "definition" && <DefinitionTab draft={draft} />}
        {tab === "versions" && <VersionsTab draft={draft} />}
        {tab === "triggers" && <TriggersTab workflow={detail} />}
        {tab === "runs" && <RunsTab workflowId={detail.id} />}
      </div>
    </>
  );
}

function Facts({ draft: { detail } }: { draft: Draft }) {
  const people = usePeople();
  const faults = detail.problems.length;
  return (
    <div className="px-4 pb-3 text-ink-2 md:-mt-3 md:px-6">
      {detail.description !== "" && <p dir="auto" className="max-w-3xl text-left wrap-anywhere">{detail.description}</p>}
      <p className="flex flex-wrap gap-x-4">
        <span>
          Draft changed by <bdi>{people(detail.updated_by)}</bdi>, <Moment at={detail.updated_at} isRelative />
        </span>
        {faults > 0 && (
          <Link to="/workflows/$workflowId" params={{ workflowId: detail.id }} search={{ tab: "definition" }} className="text-ink underline">
            {faults === 1 ? "1 fault keeps it from being published" : `${faults} faults keep it from being published`}
          </Link>
        )}
      </p>
    </div>
  );
}

function PublishButton({ detail }: { detail: Draft["detail"] }) {
  const action = useAction(WORKFLOWS, WORKFLOW);
  const mayPublish = usePermission("workflows:publish");
  const faults = detail.problems.length > 0;
  const title = !mayPublish ? "It takes an editor to publish." : faults ? "The draft has faults; the definition shows them." : undefined;
  return (
    <Button
      kind="primary"
      icon="check"
      title={title}
      isBusy={action.isPending}
      disabled={!mayPublish || faults}
      onClick={() =>
        action.mutate({
          failure: `${detail.name} was not published.`,
          work: async () => `${detail.name} is live as version ${(await publish(detail.id)).version}.`,
        })
      }
    >
      Publish
    </Button>
  );
}
