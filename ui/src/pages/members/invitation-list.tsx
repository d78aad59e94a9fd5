import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Loaded, ShowMore } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { useAction } from "@/components/ui/use-action";
import { usePeople } from "@/lib/people";
import { INVITATIONS, type Invitation, invitationsQuery, revoke } from "./api";

/** Invitations that nobody has accepted yet; those that have expired are gone by themselves. */
export function InvitationList() {
  const query = useInfiniteQuery(invitationsQuery);
  const [revoked, setRevoked] = useState<Invitation>();
  return (
    <section aria-labelledby="open-invitations" className="flex flex-col gap-3">
      <h2 id="open-invitations" className="text-lg font-semibold">
        Open invitations
      </h2>
      <Loaded query={query} rows={2}>
        {({ pages }) => {
          const open = pages.flatMap((page) => page.items);
          if (open.length === 0) return <p className="text-ink-2">None. Whoever is invited appears here until they join.</p>;
          return (
            <ul aria-label="Open invitations" className="divide-y divide-line rounded-control border border-line bg-surface">
              {open.map((invitation) => (
                <Row key={invitation.id} invitation={invitation} onRevoke={() => setRevoked(invitation)} />
              ))}
            </ul>
          );
        }}
      </Loaded>
      <ShowMore query={query} of="invitations" />
      {revoked !== undefined && <RevokeDialog invitation={revoked} onClose={() => setRevoked(undefined)} />}
    </section>
  );
}

function Row({ invitation, onRevoke }: { invitation: Invitation; onRevoke: () => void }) {
  const nameOf = usePeople();
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-row">
      <span className="min-w-40 flex-1 font-semibold wrap-anywhere">{invitation.email}</span>
      <span>{invitation.role}</span>
      <span className="text-ink-3 wrap-anywhere">by <bdi>{nameOf(invitation.invited_by)}</bdi></span>
      <span className="text-ink-3">
        Expires <Moment at={invitation.expires_at} isRelative />
      </span>
      <Button aria-label={`Revoke the invitation to ${invitation.email}`} onClick={onRevoke}>
        Revoke
      </Button>
    </li>
  );
}

function RevokeDialog({ invitation: { id, email }, onClose }: { invitation: Invitation; onClose: () => void }) {
  const { mutate, isPending } = useAction(INVITATIONS);
  const confirm = () =>
    mutate(
      {
        failure: `The invitation to ${email} is still open.`,
        work: async () => {
          await revoke(id);
          return `The invitation to ${email} is void.`;
        },
      },
      { onSettled: onClose },
    );
  return (
    <Confirm isOpen onClose={onClose} title={`Revoke the invitation to ${email}?`} verb="Revoke" isBusy={isPending} onConfirm={confirm}>
      Its link is void at once. You can invite them again, by another link.
    </Confirm>
  );
}
