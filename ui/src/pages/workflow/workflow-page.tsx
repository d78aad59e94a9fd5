import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { buttonClass } from "@/components/ui/button";
import { LongText } from "@/components/ui/long-text";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { Allowed } from "@/features/permissions/allowed";
import { WorkflowState } from "@/features/workflows/state";
import { WorkflowMenu } from "@/features/workflows/workflow-menu";
import { classNames } from "@/lib/class-names";
import { formatJson } from "@/lib/json-text";
import { usePeople } from "@/lib/people";
import { type Draft, versionTextQuery, workflowQuery } from "./api";
import { DefinitionTab } from "./definition-tab";
import { DetailsButton } from "./details-dialog";
import { GraphTab } from "./graph-tab";
import { PublishButton } from "./publish-button";
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
        <PageHeader title="Workflow" isPassing />
        <LoadingRows />
      </>
    );
  }
  // What was there stays, and is asked for again.
  if (query.data === undefined) return <ErrorState isPage error={query.error} way={<ToWorkflows />} onRetry={() => void query.refetch()} />;
  return <WorkflowView key={workflowId} draft={query.data} />;
}

function ToWorkflows() {
  return (
    <Link to="/workflows" className={buttonClass()}>
      To the workflows
    </Link>
  );
}

function WorkflowView({ draft }: { draft: Draft }) {
  const { tab = "graph" } = readWorkflowSearch(useSearch({ from: "/signed-in/workflows/$workflowId" }));
  const navigate = useNavigate();
  const { detail } = draft;
  const [isUnsaved, setIsUnsaved] = useState(false);
  return (
    <>
      <PageHeader title={detail.name}>
        <WorkflowState workflow={detail} />
        <Allowed to="workflows:write" why="It takes an editor to rename, test or publish it.">
          <DetailsButton detail={detail} />
          <TestButton workflow={detail} isUnsaved={isUnsaved} />
        </Allowed>
        <RunButton workflow={detail} />
        <PublishButton draft={draft} isUnsaved={isUnsaved} />
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
        {tab === "definition" && <DefinitionTab draft={draft} onUnsaved={setIsUnsaved} />}
        {tab === "versions" && <VersionsTab draft={draft} />}
        {tab === "triggers" && <TriggersTab workflow={detail} />}
        {tab === "runs" && <RunsTab workflowId={detail.id} />}
      </div>
    </>
  );
}

/** The version that is live, where the draft is another one. */
function useDifference({ detail: { id, published_version: live }, text }: Draft): number | undefined {
  const published = useQuery({ ...versionTextQuery(id, live ?? 0), enabled: live !== null }).data;
  const isOther = useMemo(() => published !== undefined && formatJson(published) !== formatJson(text), [published, text]);
  return isOther && live !== null ? live : undefined;
}

function Facts({ draft }: { draft: Draft }) {
  const { detail } = draft;
  const people = usePeople();
  const faults = detail.problems.length;
  const live = useDifference(draft);
  return (
    <div className="px-4 pb-3 text-ink-2 md:-mt-3 md:px-6">
      {detail.description !== "" && (
        <div className="max-w-3xl">
          <LongText text={detail.description} lines={3} />
        </div>
      )}
      <p className="flex flex-wrap gap-x-4">
        <span>
          Draft changed by <bdi>{people(detail.updated_by)}</bdi>, <Moment at={detail.updated_at} isRelative />
        </span>
        {live !== undefined && (
          <Link to="/workflows/$workflowId" params={{ workflowId: detail.id }} search={{ tab: "versions" }} className="text-ink underline">
            It is another one than version {live}, which is live
          </Link>
        )}
        {faults > 0 && (
          <Link to="/workflows/$workflowId" params={{ workflowId: detail.id }} search={{ tab: "definition" }} className="text-ink underline">
            {faults === 1 ? "1 fault keeps it from being published" : `${faults} faults keep it from being published`}
          </Link>
        )}
      </p>
    </div>
  );
}
