import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Moment } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { useAction } from "@/components/ui/use-action";
import { usePeople } from "@/lib/people";
import { INVITATIONS, type Invitation, invitationsQuery, revoke } from "./api";

/** Invitations that nobody has accepted yet; those that have expired are gone by themselves. */
export function InvitationList() {
  const query = useInfiniteQuery(invitationsQuery);
  const nameOf = usePeople();
  const [revoked, setRevoked] = useState<Invitation>();
  const open = query.data?.pages.flatMap((page) => page.items);
  return (
    <section aria-labelledby="open-invitations" className="flex flex-col gap-3">
      <h2 id="open-invitations" className="text-lg font-semibold">
        Open invitations
      </h2>
      {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {query.isPending && <LoadingRows rows={2} />}
      {open?.length === 0 && <p className="text-ink-2">None. Whoever is invited appears here until they join.</p>}
      {open !== undefined && open.length > 0 && (
        <ul aria-label="Open invitations" className="divide-y divide-line rounded-control border border-line bg-surface">
          {open.map((invitation) => (
            <li key={invitation.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2" data-invitation={invitation.email}>
              <span className="min-w-40 flex-1 font-semibold wrap-anywhere">{invitation.email}</span>
              <span>{invitation.role}</span>
              <span className="text-ink-3 wrap-anywhere">by {nameOf(invitation.invited_by)}</span>
              <span className="text-ink-3">
                Expires <Moment at={invitation.expires_at} isRelative />
              </span>
              <Button aria-label={`Revoke the invitation to ${invitation.email}`} onClick={() => setRevoked(invitation)}>
                Revoke
              </Button>
            </li>
          ))}
        </ul>
      )}
      {query.hasNextPage && (
        <div className="flex justify-center">
          <Button isBusy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show more invitations
          </Button>
        </div>
      )}
      {revoked !== undefined && <RevokeDialog invitation={revoked} onClose={() => setRevoked(undefined)} />}
    </section>
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
