import { Button } from "@/components/ui/button";
import { Icon } from "@/components/ui/icon";
import { useOwnNow } from "@/lib/clock";
import { retryNow, useLive } from "@/lib/live";

/** Whether what is shown follows what happens. */
export function LiveLamp() {
  const status = useLive((state) => state.status);
  if (status === "paused") return null;
  return (
    <span className="flex items-center gap-1.5 px-2 text-xs text-ink-3" data-live={status}>
      <span aria-hidden="true" className={status === "open" ? "size-2 rounded-full bg-ink-3" : "size-2 rounded-full border border-ink-3"} />
      {status === "open" ? "Live" : "Connecting"}
    </span>
  );
}

/** Says that live updates have stopped, and when they are tried again. */
export function LiveStrip() {
  const status = useLive((state) => state.status);
  return <div role="status">{status === "paused" && <Paused />}</div>;
}

function Paused() {
  const retryAt = useLive((state) => state.retryAt);
  const now = useOwnNow();
  const seconds = Math.max(0, Math.ceil(((retryAt ?? now) - now) / 1000));
  return (
    <div className="flex items-center gap-2 border-b border-line bg-retrying-soft px-4 py-1 text-retrying">
      <Icon name="offline" />
      <p className="grow">
        Live updates paused. <span aria-hidden="true">{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again now."}</span>
      </p>
      <Button kind="quiet" onClick={retryNow}>
        Try now
      </Button>
    </div>
  );
}
