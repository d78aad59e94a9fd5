import { Button } from "@/components/ui/button";
import { Icon } from "@/components/ui/icon";
import { classNames } from "@/lib/class-names";
import { useOwnNow } from "@/lib/clock";
import { holdLive, resumeLive, retryNow, useLive } from "@/lib/live";

const LAMP = "live-lamp";
const WORDS = {
  open: "Live",
  connecting: "Connecting",
  paused: "Not live",
  held: "Paused by you",
} satisfies Record<ReturnType<typeof useLive.getState>["status"], string>;

/** Whether what is shown follows what happens, and the way to stop that and to let it go on. */
export function LiveLamp() {
  const status = useLive((state) => state.status);
  const isHeld = status === "held";
  return (
    <button
      type="button"
      id={LAMP}
      data-live={status}
      aria-pressed={isHeld}
      title={isHeld ? "Let live updates go on" : "Pause live updates"}
      onClick={isHeld ? resumeLive : holdLive}
      className="flex h-8 shrink-0 items-center gap-1.5 rounded-control px-2 text-xs whitespace-nowrap text-ink-3 hover:bg-sunken hover:text-ink"
    >
      <span aria-hidden="true" className={classNames("size-2 rounded-full", status === "open" ? "bg-ink-3" : "border border-ink-3")} />
      <span>{WORDS[status]}</span>
      <span className="sr-only">, pause live updates</span>
    </button>
  );
}

/** Says that live updates have stopped, and when they are tried again or who has paused them. */
export function LiveStrip() {
  const status = useLive((state) => state.status);
  return (
    <div role="status">
      {status === "paused" && <Paused />}
      {status === "held" && <Held />}
    </div>
  );
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

function Held() {
  const resume = () => {
    // This button goes with the strip: the focus is not to go with it.
    document.getElementById(LAMP)?.focus();
    resumeLive();
  };
  return (
    <div className="flex items-center gap-2 border-b border-line bg-sunken px-4 py-1 text-ink-2">
      <Icon name="pause" />
      <p className="grow">You have paused live updates: what you see does not change by itself.</p>
      <Button onClick={resume}>Resume</Button>
    </div>
  );
}
