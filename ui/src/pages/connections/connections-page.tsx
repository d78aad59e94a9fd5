import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Loaded, ShowMore } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { Allowed } from "@/features/permissions/allowed";
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
  const [isMaking, setIsMaking] = useState(false);
  const navigate = useNavigate();
  return (
    <>
      <PageHeader title="Connections">
        <Allowed to="connections:write" why="It takes an admin to make and change connections.">
          <Button kind="primary" icon="plus" onClick={() => setIsMaking(true)}>
            New connection
          </Button>
        </Allowed>
      </PageHeader>
      <OutcomeStrip outcome={outcome} />
      <div className="px-4 md:px-6">
        <Loaded query={query}>
          {({ pages }) => {
            const connections = pages.flatMap((page) => page.items);
            return connections.length > 0 ? <ConnectionTable connections={connections} /> : <NoConnections />;
          }}
        </Loaded>
        <ShowMore query={query} />
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

function NoConnections() {
  return (
    <EmptyState icon="plug" title="No connections yet">
      A connection keeps the credentials for another system. Steps use it by its name, and nobody reads its secret again.
    </EmptyState>
  );
}

function ConnectionTable({ connections }: { connections: readonly Connection[] }) {
  const nameOf = usePeople();
  const columns: Column<Connection>[] = [
    {
      title: "Name",
      cell: ({ id, name, type }) => (
        <>
          <Link to="/connections/$connectionId" params={{ connectionId: id }} className="font-mono font-semibold wrap-anywhere hover:underline">
            {name}
          </Link>
          <p className="text-xs text-ink-3">{formOf(type).label}</p>
        </>
      ),
    },
    { title: "State", cell: (connection) => <State connection={connection} /> },
    { title: "Allowed hosts", from: "md", cell: ({ allowed_hosts: hosts }) => <Hosts hosts={hosts} /> },
    { title: "Used by", cell: ({ used_by_count: count }) => <UseCount count={count} /> },
    {
      title: "Changed",
      from: "lg",
      look: "text-ink-2 wrap-anywhere",
      cell: ({ updated_at: at, updated_by: by }) => (
        <>
          <Moment at={at} isRelative /> by <bdi>{nameOf(by)}</bdi>
        </>
      ),
    },
  ];
  return <Table label="Connections" columns={columns} rows={connections} keyOf={({ id }) => id} />;
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
