import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { serverNow } from "@/lib/clock";
import { formatCountOf } from "@/lib/format";
import { describeError } from "@/lib/problem";
import { type BulkAction, type BulkOutcome, type Meant, countBulk, describeSkipped, toBulkFilter } from "./bulk";
import { useBulkWork } from "./use-bulk-work";

const WORDS = {
  cancel: { verb: "Cancel", done: "being cancelled", means: "They stop at whatever they do." },
  retry: { verb: "Retry", done: "going on", means: "They go on from what failed; what succeeded is kept." },
} satisfies Record<BulkAction, { verb: string; done: string; means: string }>;

interface BulkDialogProps {
  action: BulkAction;
  meant: Meant;
  onClose: () => void;
  onDone: () => void;
}

/** Counts first what it would be done to, and says so; then does it. What closes it stops the work first, once more gives it up. */
export function BulkDialog({ action, meant, onClose, onDone }: BulkDialogProps) {
  const [filter] = useState(() => toBulkFilter(meant, serverNow()));
  const count = useQuery({
    queryKey: ["bulk", action, filter],
    queryFn: ({ signal }) => countBulk(action, filter, signal),
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const work = useBulkWork(action, filter, {
    onEnd: ({ done, isWhole }) => {
      const told = `${sayRuns(done)} ${done === 1 ? "is" : "are"} ${WORDS[action].done}`;
      if (isWhole) onDone();
      else onClose();
      toast("done", isWhole ? `${told}.` : `You stopped it: ${told}, the others are as they were.`);
    },
    onGone: (done) => toast("failed", `You left before the end: at least ${sayRuns(done)} ${done === 1 ? "is" : "are"} ${WORDS[action].done}.`),
  });
  const close = () => {
    if (work.isPending && !work.isStopping) work.stop();
    else onClose();
  };
  const { verb, means } = WORDS[action];
  const able = count.data?.done ?? 0;
  return (
    <Dialog
      isOpen
      onClose={close}
      title={`${verb} many runs`}
      actions={
        <>
          <Button onClick={close}>{work.isStopping ? "Stopping" : work.isPending ? "Stop" : "Leave them"}</Button>
          <Button kind={action === "cancel" ? "danger" : "primary"} isBusy={work.isPending} disabled={able === 0} onClick={work.begin}>
            {work.isPending ? `${work.progress} of ${able}` : `${verb} ${sayRuns(able)}`}
          </Button>
        </>
      }
    >
      <div role="status">
        {count.isPending && <LoadingRows rows={2} />}
        {count.data !== undefined && <Count outcome={count.data} verb={verb} means={means} />}
      </div>
      {count.isError && <ErrorState error={count.error} onRetry={() => void count.refetch()} />}
      <FormError>{work.error !== null ? `After ${sayRuns(work.progress)} it went no further. ${describeError(work.error)}` : undefined}</FormError>
    </Dialog>
  );
}

function Count({ outcome: { matched, done, skipped }, verb, means }: { outcome: BulkOutcome; verb: string; means: string }) {
  const rest = describeSkipped(skipped);
  return (
    <>
      <p>
        {sayRuns(matched)} {matched === 1 ? "is" : "are"} meant. {verb} can be done to <strong className="font-semibold">{done}</strong>.{" "}
        {done > 0 && means}
      </p>
      {rest !== "" && <p className="mt-2 text-ink-2">Left alone: {rest}.</p>}
    </>
  );
}

function sayRuns(count: number): string {
  return formatCountOf(count, "run");
}
