import { useQuery } from "@tanstack/react-query";
import { Health, HealthLine } from "@/components/ui/health";
import { Loaded } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { limitsQuery } from "@/features/limits/api";
import { LimitList } from "@/features/limits/limit-list";
import { ForRole } from "@/features/permissions/for-role";
import { findFaults } from "./advice";
import { type Operations, operationsQuery, readinessQuery } from "./api";
import { Part } from "./part";
import { Backlog, Dependencies, Processes } from "./parts";

/** The installation at a glance: processes, what waits for them, what they depend on. */
export function OperationsPage() {
  const readiness = useQuery(readinessQuery);
  const limits = useQuery(limitsQuery);
  return (
    <>
      <PageHeader title="Operations" />
      <div className="flex flex-col gap-3 px-4 pb-8 md:px-6">
        <ForRole permission="metrics:read" why="It takes an admin to look after the installation.">
          <Installation />
        </ForRole>
        <div className="grid items-start gap-3 lg:grid-cols-2">
          <Part id="dependencies" title="Dependencies" query={readiness}>
            {(found) => <Dependencies readiness={found} />}
          </Part>
          <Part id="limits" title="Limits" query={limits}>
            {(found) => <LimitList limits={found} />}
          </Part>
        </div>
      </div>
    </>
  );
}

function Installation() {
  const query = useQuery(operationsQuery);
  return (
    <Loaded query={query} rows={8}>
      {(found) => (
        <>
          <Faults operations={found} />
          <Backlog operations={found} />
          <Processes operations={found} />
        </>
      )}
    </Loaded>
  );
}

/** What is wrong, with what to do. */
function Faults({ operations }: { operations: Operations }) {
  const faults = findFaults(operations);
  return (
    <Health>
      {faults.length === 0 && (
        <HealthLine tone="succeeded">
          {operations.is_complete ? "Every process is at work." : "Every process that can be seen is at work."}
        </HealthLine>
      )}
      {faults.map((text) => (
        <HealthLine key={text} tone="failed">
          {text}
        </HealthLine>
      ))}
    </Health>
  );
}
