import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { ShowMore } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { useAction } from "@/components/ui/use-action";
import { WORKFLOW, WORKFLOWS, publish } from "@/features/workflows/api";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { type Draft, type Version, restore, versionsQuery } from "./api";
import { VersionComparison } from "./version-comparison";

/** Every published version: who, when, how it differs from the draft and from the others, and the way back to it. */
export function VersionsTab({ draft }: { draft: Draft }) {
  const query = useInfiniteQuery(versionsQuery(draft.detail.id));
  const versions = query.data?.pages.flatMap((page) => page.items);
  const [compared, setCompared] = useState<number>();
  if (query.isPending) return <LoadingRows />;
  if (versions === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (versions.length === 0) {
    return (
      <EmptyState icon="workflows" title="No versions yet">
        The first one is made when the draft is published.
      </EmptyState>
    );
  }
  return (
    <>
      <ol aria-label="Versions" className="divide-y divide-line rounded-control border border-line bg-surface">
        {versions.map((version) => (
          <VersionRow key={version.id} draft={draft} version={version} onCompare={() => setCompared(version.version)} />
        ))}
      </ol>
      <ShowMore query={query} of="versions" />
      {compared !== undefined && (
        <VersionComparison draft={draft} version={compared} known={versions.map(({ version }) => version)} onClose={() => setCompared(undefined)} />
      )}
    </>
  );
}

interface VersionRowProps {
  draft: Draft;
  version: Version;
  onCompare: () => void;
}

function VersionRow({ draft: { detail }, version: { version, published_by, created_at }, onCompare }: VersionRowProps) {
  const people = usePeople();
  const mayWrite = usePermission("workflows:write");
  const mayPublish = usePermission("workflows:publish");
  const action = useAction(WORKFLOWS, WORKFLOW);
  const [asked, setAsked] = useState<"restore" | "publish">();
  const isLive = version === detail.published_version;
  const goBack = () => {
    setAsked(undefined);
    action.mutate({
      failure: `Version ${version} was not ${asked === "publish" ? "published again" : "restored"}.`,
      work: async () => {
        const restored = await restore(detail.id, version, detail.revision);
        if (asked !== "publish") return `The draft is as version ${version} was.`;
        return `What version ${version} was is live as version ${(await publish(detail.id, restored.revision)).version}.`;
      },
    });
  };
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3 py-row">
      <span className="w-20 font-mono font-semibold">v{version}</span>
      <span className="min-w-48 flex-1 text-ink-2">
        {isLive && <strong className="font-semibold text-ink">Live. </strong>}
        Published by <bdi>{people(published_by)}</bdi>, <Moment at={created_at} />
      </span>
      <span className="flex flex-wrap gap-2">
        <Button kind="quiet" aria-label={`Compare version ${version} with the draft`} onClick={onCompare}>
          Compare
        </Button>
        {mayWrite && (
          <Button isBusy={action.isPending} aria-label={`Restore version ${version} as the draft`} onClick={() => setAsked("restore")}>
            Restore
          </Button>
        )}
        {mayWrite && mayPublish && !isLive && (
          <Button isBusy={action.isPending} aria-label={`Publish again what version ${version} was`} onClick={() => setAsked("publish")}>
            Publish again
          </Button>
        )}
      </span>
      <Confirm
        isOpen={asked !== undefined}
        onClose={() => setAsked(undefined)}
        title={asked === "publish" ? `Publish version ${version} again?` : `Restore version ${version}?`}
        verb={asked === "publish" ? "Publish it" : "Restore it"}
        keep="Leave it"
        onConfirm={goBack}
      >
        The draft becomes what version {version} was; what it is now is kept only where it was published.
        {asked === "publish" && " Then it goes live as a new version. Runs that go on keep theirs."}
      </Confirm>
    </li>
  );
}
