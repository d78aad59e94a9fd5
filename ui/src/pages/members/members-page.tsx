import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { WhyNot } from "@/components/ui/why-not";
import { meQuery, usePermission } from "@/lib/me";
import { membersQuery } from "@/lib/people";
import { InvitationList } from "./invitation-list";
import { InviteDialog } from "./invite-dialog";
import { MemberTable } from "./member-table";
import { ROLES, ROLE_MAY } from "./roles";

/** Who is in the workspace, as what, and how others come. */
export function MembersPage() {
  const query = useQuery(membersQuery);
  const me = useQuery(meQuery).data;
  const mayInvite = usePermission("members:write");
  const mayGive = usePermission("roles:write");
  const [isInviting, setIsInviting] = useState(false);
  return (
    <>
      <PageHeader title="Members">
        {me !== undefined &&
          (mayInvite ? (
            <Button kind="primary" icon="plus" onClick={() => setIsInviting(true)}>
              Invite
            </Button>
          ) : (
            <WhyNot>It takes an admin to invite and remove members.</WhyNot>
          ))}
      </PageHeader>
      <div className="flex flex-col gap-8 px-4 md:px-6">
        {query.isError && query.data === undefined && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {query.data !== undefined && <MemberTable members={query.data} />}
        {mayInvite && <InvitationList />}
        <section aria-labelledby="roles" className="flex flex-col gap-3">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <h2 id="roles" className="text-lg font-semibold">
              Roles
            </h2>
            {me !== undefined && !mayGive && <WhyNot>It takes an owner to give roles.</WhyNot>}
          </div>
          <dl className="grid gap-x-6 gap-y-1.5 rounded-control border border-line bg-surface p-4 sm:grid-cols-[auto_1fr]">
            {ROLES.map((role) => (
              <div key={role} className="contents">
                <dt className="font-semibold">{role}</dt>
                <dd className="mb-2 text-ink-2 sm:mb-0">
                  {ROLE_MAY[role]}
                  {role !== "viewer" && ", and all that the roles below may"}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      </div>
      {isInviting && me !== undefined && <InviteDialog by={me.role} onClose={() => setIsInviting(false)} />}
    </>
  );
}
