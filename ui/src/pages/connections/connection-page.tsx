import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { Button, buttonClass } from "@/components/ui/button";
import { Loaded } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { Allowed } from "@/features/permissions/allowed";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { type ConnectionDetail, connectionQuery } from "./api";
import { ConnectionDialog } from "./connection-dialog";
import { DeleteDialog } from "./delete-dialog";
import { SignInPanel } from "./sign-in-panel";
import { TestPanel } from "./test-panel";
import { formOf } from "./types";
import { UseList } from "./used-by";

/** One connection: what it is, whether it works, and who would miss it. */
export function ConnectionPage() {
  const { connectionId } = useParams({ from: "/signed-in/connections/$connectionId" });
  const query = useQuery(connectionQuery(connectionId));
  return (
    <Loaded isPage query={query} way={<ToConnections />}>
      {(connection) => <ConnectionView key={connectionId} connection={connection} />}
    </Loaded>
  );
}

function ToConnections() {
  return (
    <Link to="/connections" className={buttonClass()}>
      To the connections
    </Link>
  );
}

function ConnectionView({ connection }: { connection: ConnectionDetail }) {
  const [dialog, setDialog] = useState<"change" | "delete">();
  const mayWrite = usePermission("connections:write");
  const navigate = useNavigate();
  const close = () => setDialog(undefined);
  return (
    <>
      <PageHeader title={connection.name}>
        <Allowed to="connections:write" why="It takes an admin to change, test and delete it.">
          <Button icon="edit" onClick={() => setDialog("change")}>
            Change
          </Button>
          <Button kind="danger" icon="trash" onClick={() => setDialog("delete")}>
            Delete
          </Button>
        </Allowed>
      </PageHeader>
      <div className="grid items-start gap-4 px-4 md:px-6 lg:grid-cols-2">
        <div className="flex min-w-0 flex-col gap-4">
          <Facts connection={connection} />
          <SignInPanel connection={connection} />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          {mayWrite && <TestPanel connection={connection} />}
          <Uses connection={connection} />
        </div>
      </div>
      {dialog === "change" && <ConnectionDialog connection={connection} onClose={close} onSaved={close} />}
      {dialog === "delete" && (
        <DeleteDialog connection={connection} onClose={close} onDeleted={() => void navigate({ to: "/connections" })} />
      )}
    </>
  );
}

function Facts({ connection }: { connection: ConnectionDetail }) {
  const nameOf = usePeople();
  const { label, sends } = formOf(connection.type);
  return (
    <section aria-labelledby="connection-facts" className="rounded-control border border-line bg-surface p-4">
      <h2 id="connection-facts" className="mb-3 text-lg font-semibold">
        What it is
      </h2>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1.5">
        <dt className="text-ink-3">Type</dt>
        <dd>{label}</dd>
        <dt className="text-ink-3">Secret</dt>
        <dd>{sends === "" ? "Set, and shown to nobody." : `Set, and shown to nobody. Steps send ${sends}.`}</dd>
        <dt className="text-ink-3">Allowed hosts</dt>
        <dd>
          {connection.allowed_hosts.length === 0 ? (
            "Any: editors can send the secret anywhere."
          ) : (
            <ul className="font-mono text-xs leading-5">
              {connection.allowed_hosts.map((host) => (
                <li key={host} className="wrap-anywhere">
                  {host}
                </li>
              ))}
            </ul>
          )}
        </dd>
        <dt className="text-ink-3">Made</dt>
        <dd className="wrap-anywhere">
          <Moment at={connection.created_at} /> by <bdi>{nameOf(connection.created_by)}</bdi>
        </dd>
        <dt className="text-ink-3">Changed</dt>
        <dd className="wrap-anywhere">
          <Moment at={connection.updated_at} /> by <bdi>{nameOf(connection.updated_by)}</bdi>
        </dd>
      </dl>
    </section>
  );
}

function Uses({ connection }: { connection: ConnectionDetail }) {
  return (
    <section aria-labelledby="connection-uses" className="rounded-control border border-line bg-surface p-4">
      <h2 id="connection-uses" className="mb-2 text-lg font-semibold">
        Used by
      </h2>
      {connection.used_by.length === 0 ? (
        <p className="text-ink-2">
          No workflow names it. A step does so by <code className="font-mono text-xs wrap-anywhere">connection: {connection.name}</code>.
        </p>
      ) : (
        <UseList uses={connection.used_by} />
      )}
    </section>
  );
}
