import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Moment } from "@/components/ui/moment";
import { useAction } from "@/components/ui/use-action";
import { useNow } from "@/lib/clock";
import { usePeople } from "@/lib/people";
import { API_KEYS, type ApiKey, revokeKey } from "./api";
import { standingOf } from "./lifetimes";

const CELL = "px-3 py-2 align-top";
const HEAD = "px-3 py-2 font-normal";

/** The keys with how they begin, whose they are, when they were used last and when they end. */
export function KeyTable({ keys }: { keys: readonly ApiKey[] }) {
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className={HEAD}>Name</th>
            <th className={`${HEAD} hidden sm:table-cell`}>Role</th>
            <th className={`${HEAD} hidden lg:table-cell`}>Made</th>
            <th className={`${HEAD} hidden sm:table-cell`}>Last used</th>
            <th className={`${HEAD} hidden sm:table-cell`}>Ends</th>
            <th className={HEAD}>
              <span className="sr-only">Revoke</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => (
            <Row key={key.id} apiKey={key} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ apiKey: { id, name, role, prefix, created_by, created_at, last_used_at, expires_at } }: { apiKey: ApiKey }) {
  const [isAsking, setIsAsking] = useState(false);
  const action = useAction(API_KEYS);
  const person = usePeople();
  const revoke = async () => {
    await revokeKey(id);
    return `${name} was revoked. It is refused everywhere within 5 seconds.`;
  };
  return (
    <tr className="border-t border-line">
      <td className={CELL}>
        <p className="font-semibold wrap-anywhere">{name}</p>
        <p className="font-mono text-xs text-ink-3">{prefix}…</p>
        <p className="text-xs text-ink-2 sm:hidden">
          {role}, ends <Ends expiresAt={expires_at} />
        </p>
      </td>
      <td className={`${CELL} hidden sm:table-cell`}>{role}</td>
      <td className={`${CELL} hidden text-ink-2 lg:table-cell`}>
        <Moment at={created_at} isRelative /> <span className="wrap-anywhere">by {person(created_by)}</span>
      </td>
      <td className={`${CELL} hidden text-ink-2 sm:table-cell`}>
        {last_used_at === null ? "never" : <Moment at={last_used_at} isRelative />}
      </td>
      <td className={`${CELL} hidden sm:table-cell`}>
        <Ends expiresAt={expires_at} />
      </td>
      <td className="px-2 py-1.5 text-right align-top">
        <Button aria-label={`Revoke ${name}`} isBusy={action.isPending} onClick={() => setIsAsking(true)}>
          Revoke
        </Button>
        <Confirm
          isOpen={isAsking}
          onClose={() => setIsAsking(false)}
          title={`Revoke ${name}?`}
          verb="Revoke"
          onConfirm={() => {
            setIsAsking(false);
            action.mutate({ failure: `${name} was not revoked.`, work: revoke });
          }}
        >
          Whatever uses it is refused within 5 seconds. It cannot be brought back.
        </Confirm>
      </td>
    </tr>
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
