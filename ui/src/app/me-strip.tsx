import { Button } from "@/components/ui/button";
import { Icon } from "@/components/ui/icon";
import type { Asked } from "@/components/ui/loaded";
import { useLive } from "@/lib/live";
import { describeError } from "@/lib/problem";

/** Says that it could not be read who is signed in, and so what they may do here; nothing where it could. */
export function MeStrip({ query: { data, error, isFetching, refetch } }: { query: Asked<unknown> }) {
  const isPaused = useLive((state) => state.status === "paused");
  // Where the whole connection is away, the strip about that says so.
  if (error === null || (data !== undefined && isPaused)) return null;
  return (
    <div role="alert" className="flex items-center gap-2 border-b border-line bg-surface px-4 py-1">
      <Icon name="warning" />
      <p className="min-w-0 grow wrap-anywhere">
        {data === undefined ? "What you may do here could not be read." : "What you may do here could not be read anew."} {describeError(error)}
      </p>
      <Button kind="quiet" isBusy={isFetching} onClick={() => refetch()}>
        Try again
      </Button>
    </div>
  );
}
