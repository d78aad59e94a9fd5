import { Button } from "@/components/ui/button";
import { useAction } from "@/components/ui/use-action";
import { WORKFLOW, WORKFLOWS } from "@/features/workflows/api";
import { usePermission } from "@/lib/me";
import { type Draft, publishSeen } from "./api";

interface PublishProps {
  draft: Draft;
  /** What is written in the definition is not saved: it would not be what goes live. */
  isUnsaved: boolean;
}

/** Make what is seen the live version: no draft that somebody else has saved meanwhile, and none without what is written here. */
export function PublishButton({ draft, isUnsaved }: PublishProps) {
  const { detail } = draft;
  const action = useAction(WORKFLOWS, WORKFLOW);
  const mayPublish = usePermission("workflows:publish");
  const why = !mayPublish
    ? "It takes an editor to publish."
    : isUnsaved
      ? "Save the draft first."
      : detail.problems.length > 0
        ? "The draft has faults; the definition shows them."
        : undefined;
  return (
    <Button
      kind="primary"
      icon="check"
      title={why}
      isBusy={action.isPending}
      disabled={why !== undefined}
      onClick={() =>
        action.mutate({
          failure: `${detail.name} was not published.`,
          work: async () => `${detail.name} is live as version ${(await publishSeen(draft)).version}.`,
        })
      }
    >
      Publish
    </Button>
  );
}
