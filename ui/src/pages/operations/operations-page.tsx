import { useQuery } from "@tanstack/react-query";
import { Icon } from "@/components/ui/icon";
import { Lamp } from "@/components/ui/lamp";
import { Loaded } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { findFaults } from "./advice";
import { type Operations, limitsQuery, operationsQuery, readinessQuery } from "./api";
import { Backlog, Dependencies, Limits, Processes } from "./parts";

/** The installation at a glance: processes, what waits for them, what they depend on. */
export function OperationsPage() {
  const operations = useQuery(operationsQuery);
  const readiness = useQuery(readinessQuery);
  const limits = useQuery(limitsQuery);
  return (
    <>
      <PageHeader title="Operations" />
      <div className="flex flex-col gap-3 px-4 pb-8 md:px-6">
        <Loaded query={operations} rows={8}>
          {(found) => (
            <>
              <Faults operations={found} />
              <Backlog operations={found} />
              <Processes processes={found.processes} />
            </>
          )}
        </Loaded>
        <div className="grid items-start gap-3 lg:grid-cols-2">
          {readiness.data !== undefined && <Dependencies readiness={readiness.data} />}
          {limits.data !== undefined && <Limits limits={limits.data} />}
        </div>
      </div>
    </>
  );
}

/** What is wrong, with what to do. It is read out when it changes. */
function Faults({ operations }: { operations: Operations }) {
  const faults = findFaults(operations);
  return (
    <div role="status" aria-label="Health" className="rounded-control border border-line bg-surface p-3">
      <ul className="flex flex-col gap-1">
        {faults.length === 0 && <Line tone="succeeded" text="Every process is at work." />}
        {faults.map((text) => (
          <Line key={text} tone="failed" text={text} />
        ))}
        {!operations.is_complete && (
          <li className="flex items-start gap-2 text-ink-2">
            <span className="pt-0.5">
              <Icon name="warning" size={14} />
            </span>
            Redis does not tell of other processes: workers and this API alone are shown.
          </li>
        )}
      </ul>
    </div>
  );
}

function Line({ tone, text }: { tone: "succeeded" | "failed"; text: string }) {
  return (
    <li className="flex items-start gap-2 wrap-anywhere">
      <span className="pt-0.5">
        <Lamp tone={tone} />
      </span>
      {text}
    </li>
  );
}
