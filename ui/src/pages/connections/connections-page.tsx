import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { WhyNot } from "@/components/ui/why-not";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { type Connection, connectionsQuery } from "./api";
import { ConnectionDialog } from "./connection-dialog";
import { readOutcome } from "./outcome";
import { OutcomeStrip } from "./sign-in-panel";
import { formOf } from "./types";
import { UseCount } from "./used-by";

/** Credentials for other systems: what they are, where they may go, and who uses them. */
export function ConnectionsPage() {
  const outcome = readOutcome({ ...useSearch({ from: "/signed-in/connections" }) });
  const query = useInfiniteQuery(connectionsQuery);
  const mayWrite = usePermission("connections:write");
  const [isMaking, setIsMaking] = useState(false);
  const navigate = useNavigate();
  const connections = query.data?.pages.flatMap((page) => page.items);
  const make = (
    <Button kind="primary" icon="plus" onClick={() => setIsMaking(true)}>
      New connection
    </Button>
  );
  return (
    <>
      <PageHeader title="Connections">
        {query.data !== undefined && (mayWrite ? make : <WhyNot>It takes an admin to make and change connections.</WhyNot>)}
      </PageHeader>
      <OutcomeStrip outcome={outcome} />
      <div className="px-4 md:px-6">
        {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {connections !== undefined && connections.length > 0 && <ConnectionTable connections={connections} />}
        {connections?.length === 0 && (
          <EmptyState icon="plug" title="No connections yet">
            A connection keeps the credentials for another system. Steps use it by its name, and nobody reads its secret again.
          </EmptyState>
        )}
        {query.hasNextPage && (
          <div className="flex justify-center py-4">
            <Button isBusy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              Show more
            </Button>
          </div>
        )}
      </div>
      {isMaking && (
        <ConnectionDialog
          onClose={() => setIsMaking(false)}
          onSaved={({ id }) => void navigate({ to: "/connections/$connectionId", params: { connectionId: id } })}
        />
      )}
    </>
  );
}

function ConnectionTable({ connections }: { connections: readonly Connection[] }) {
  const nameOf = usePeople();
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className="px-3 py-2 font-normal">Name</th>
            <th className="px-3 py-2 font-normal">State</th>
            <th className="hidden px-3 py-2 font-normal md:table-cell">Allowed hosts</th>
            <th className="px-3 py-2 font-normal">Used by</th>
            <th className="hidden px-3 py-2 font-normal lg:table-cell">Changed</th>
          </tr>
        </thead>
        <tbody>
          {connections.map((connection) => (
            <tr key={connection.id} className="border-t border-line hover:bg-canvas">
              <td className="px-3 py-2">
                <Link
                  to="/connections/$connectionId"
                  params={{ connectionId: connection.id }}
                  className="font-mono font-semibold wrap-anywhere hover:underline"
                >
                  {connection.name}
                </Link>
                <p className="text-xs text-ink-3">{formOf(connection.type).label}</p>
              </td>
              <td className="px-3 py-2">
                <State connection={connection} />
              </td>
              <td className="hidden px-3 py-2 md:table-cell">
                <Hosts hosts={connection.allowed_hosts} />
              </td>
              <td className="px-3 py-2">
                <UseCount id={connection.id} />
              </td>
              <td className="hidden px-3 py-2 text-ink-2 lg:table-cell">
                <Moment at={connection.updated_at} isRelative /> by {nameOf(connection.updated_by)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Colour belongs to runs: here words do. */
function State({ connection: { authorization } }: { connection: Connection }) {
  if (authorization === null) return <span>Secret set</span>;
  return authorization.status === "granted" ? <span>Signed in</span> : <span className="font-semibold">Sign-in needed</span>;
}

const SHOWN_HOSTS = 2;

/** Where the secret may go; no host at all means everywhere, which is said. */
export function Hosts({ hosts }: { hosts: readonly string[] }) {
  if (hosts.length === 0) return <span className="text-ink-3">Any host</span>;
  const more = hosts.length - SHOWN_HOSTS;
  return (
    <span className="font-mono text-xs wrap-anywhere" title={hosts.join(", ")}>
      {hosts.slice(0, SHOWN_HOSTS).join(", ")}
      {more > 0 && <span className="font-sans text-ink-3"> and {more} more</span>}
    </span>
  );
}
