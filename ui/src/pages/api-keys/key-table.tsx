import { useState } from "react";
import { Button } from "@/components/ui/button";
import { ConfirmByName } from "@/components/ui/confirm-by-name";
import { Moment } from "@/components/ui/moment";
import { type Column, Table } from "@/components/ui/table";
import { useAction } from "@/components/ui/use-action";
import { useNow } from "@/lib/clock";
import { usePeople } from "@/lib/people";
import { API_KEYS, type ApiKey, revokeKey } from "./api";
import { standingOf } from "./lifetimes";

/** The keys with how they begin, whose they are, when they were used last and when they end. */
export function KeyTable({ keys }: { keys: readonly ApiKey[] }) {
  const person = usePeople();
  const columns: Column<ApiKey>[] = [
    {
      title: "Name",
      look: "align-top",
      cell: ({ name, prefix, role, expires_at: end }) => (
        <>
          <p dir="auto" className="text-left font-semibold wrap-anywhere">
            {name}
          </p>
          <p className="font-mono text-xs text-ink-3">{prefix}…</p>
          <p className="text-xs text-ink-2 sm:hidden">
            {role}, ends <Ends expiresAt={end} />
          </p>
        </>
      ),
    },
    { title: "Role", from: "sm", look: "align-top", cell: ({ role }) => role },
    {
      title: "Made",
      from: "lg",
      look: "align-top text-ink-2",
      cell: ({ created_at: at, created_by: by }) => (
        <>
          <Moment at={at} isRelative /> <span className="wrap-anywhere">by <bdi>{person(by)}</bdi></span>
        </>
      ),
    },
    {
      title: "Last used",
      from: "sm",
      look: "align-top text-ink-2",
      cell: ({ last_used_at: at }) => (at === null ? "never" : <Moment at={at} isRelative />),
    },
    { title: "Ends", from: "sm", look: "align-top", cell: ({ expires_at: end }) => <Ends expiresAt={end} /> },
    { title: "Revoke", isForActions: true, cell: (key) => <RevokeButton apiKey={key} /> },
  ];
  return <Table label="API keys" columns={columns} rows={keys} keyOf={({ id }) => id} />;
}

function RevokeButton({ apiKey: { id, name } }: { apiKey: ApiKey }) {
  const [isAsking, setIsAsking] = useState(false);
  const action = useAction(API_KEYS);
  const revoke = async () => {
    await revokeKey(id);
    return `${name} was revoked. It is refused everywhere within 5 seconds.`;
  };
  return (
    <>
      <Button aria-label={`Revoke ${name}`} isBusy={action.isPending} onClick={() => setIsAsking(true)}>
        Revoke
      </Button>
      {isAsking && (
        <ConfirmByName
          name={name}
          title={`Revoke ${name}?`}
          verb="Revoke"
          onClose={() => setIsAsking(false)}
          onConfirm={() => {
            setIsAsking(false);
            action.mutate({ failure: `${name} was not revoked.`, work: revoke });
          }}
        >
          Whatever uses it is refused within 5 seconds. It cannot be brought back.
        </ConfirmByName>
      )}
    </>
  );
}

/** Words, not colours: those are for runs. */
function Ends({ expiresAt }: { expiresAt: string | null }) {
  const now = useNow();
  if (expiresAt === null) return <span className="text-ink-3">never</span>;
  const standing = standingOf(expiresAt, now);
  if (standing === "expired") return <span className="font-semibold">expired</span>;
  return (
    <span className={standing === "soon" ? "font-semibold" : "text-ink-2"}>
      <Moment at={expiresAt} isRelative />
    </span>
  );
}
