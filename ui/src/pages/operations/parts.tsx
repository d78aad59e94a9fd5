import { Icon } from "@/components/ui/icon";
import { Lamp } from "@/components/ui/lamp";
import { Moment } from "@/components/ui/moment";
import { Figure, Panel } from "@/components/ui/panel";
import { formatBytes, formatCount, formatDuration } from "@/lib/format";
import { DEPENDENCIES, describeWork, findUnseen } from "./advice";
import type { Operations, Process, Readiness } from "./api";

/** What the API depends on; what is away says what to do. */
export function Dependencies({ readiness }: { readiness: Readiness }) {
  return (
    <ul>
      {Object.entries(readiness.checks).map(([name, { status, detail }]) => (
        <li key={name} className="flex gap-2 border-t border-line py-2 first:border-t-0">
          <span className="pt-0.5">
            <Lamp tone={status === "ok" ? "succeeded" : "failed"} />
          </span>
          <div className="min-w-0">
            <p>
              <span className="font-semibold">{DEPENDENCIES[name]?.label ?? name}</span>{" "}
              <span className="text-ink-2">{status === "ok" ? (DEPENDENCIES[name]?.fine ?? "answers") : "not right"}</span>
            </p>
            {status !== "ok" && (
              <p className="text-ink-2 wrap-anywhere">
                {detail !== null && `${detail}. `}
                {DEPENDENCIES[name]?.cure}
              </p>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** What waits for a process, and for how long already. */
export function Backlog({ operations: { queue, outbox, due } }: { operations: Operations }) {
  return (
    <dl aria-label="What waits" className="grid gap-3 sm:grid-cols-3">
      <Waiting label="Queue" note="runs that wait for a worker" waiting={queue} />
      <Waiting label="Outbox" note="rows that wait for the relay" waiting={outbox} />
      <Waiting label="Due" note="suspended runs whose time has come" waiting={due} />
    </dl>
  );
}

function Waiting({ label, note, waiting }: { label: string; note: string; waiting: Operations["queue"] }) {
  return (
    <Figure
      label={label}
      note={waiting.oldest_seconds === null ? note : `${note}, the first for ${formatDuration(waiting.oldest_seconds * 1000)}`}
    >
      {formatCount(waiting.count)}
    </Figure>
  );
}

/** The processes by role, with what each does at the moment; those of which nothing is told are named with the reason. */
export function Processes({ operations }: { operations: Operations }) {
  return (
    <Panel id="processes" title="Processes">
      <ul>
        {operations.processes.map((process) => (
          <li key={`${process.host}:${process.pid}`} className="flex gap-2 border-t border-line py-2 first:border-t-0">
            <span className="pt-0.5">
              <Lamp tone={process.status === "ok" ? "succeeded" : "failed"} />
            </span>
            <ProcessLine process={process} />
          </li>
        ))}
        {findUnseen(operations).map(({ who, why }) => (
          <li key={who} className="flex gap-2 border-t border-line py-2 first:border-t-0">
            <span className="pt-0.5 text-ink-3">
              <Icon name="warning" size={14} />
            </span>
            <p className="min-w-0 wrap-anywhere">
              <span className="font-semibold">{who}</span> <span className="text-ink-2">{why}</span>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function ProcessLine({ process }: { process: Process }) {
  return (
    <div className="flex min-w-0 grow flex-wrap justify-between gap-x-4">
      <p className="min-w-0 wrap-anywhere">
        <span className="font-semibold">{process.role}</span>{" "}
        <span className="font-mono text-xs text-ink-3">
          {process.host}:{process.pid}
        </span>{" "}
        <span className="text-ink-2">
          {process.status === "ok" ? describeWork(process) : "silent"}
          {process.status === "silent" && process.heartbeat_at !== null && (
            <>
              , last heard of at <Moment at={process.heartbeat_at} />
            </>
          )}
        </span>
      </p>
      <p className="text-xs text-ink-3">
        {process.memory_bytes !== null && `${formatBytes(process.memory_bytes)}, `}
        {process.started_at !== null && (
          <>
            up since <Moment at={process.started_at} />
          </>
        )}
      </p>
    </div>
  );
}
