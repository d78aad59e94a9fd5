import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Loaded } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { Allowed } from "@/features/permissions/allowed";
import { meQuery, usePermission } from "@/lib/me";
import { membersQuery } from "@/lib/people";
import { ROLES, ROLE_MAY } from "@/lib/roles";
import { InvitationList } from "./invitation-list";
import { InviteDialog } from "./invite-dialog";
import { MemberTable } from "./member-table";
import { RoleMatrix } from "./role-matrix";

/** Who is in the workspace, as what, and how others come. */
export function MembersPage() {
  const query = useQuery(membersQuery);
  const me = useQuery(meQuery).data;
  const mayInvite = usePermission("members:write");
  const [isInviting, setIsInviting] = useState(false);
  return (
    <>
      <PageHeader title="Members">
        <Allowed to="members:write" why="It takes an admin to invite and remove members.">
          <Button kind="primary" icon="plus" onClick={() => setIsInviting(true)}>
            Invite
          </Button>
        </Allowed>
      </PageHeader>
      <div className="flex flex-col gap-8 px-4 md:px-6">
        <div>
          <Loaded query={query}>{(members) => <MemberTable members={members} />}</Loaded>
        </div>
        {mayInvite && <InvitationList />}
        <section aria-labelledby="roles" className="flex flex-col gap-3">
          <div className="flex flex-wrap items-center justify-between gap-2">
            <h2 id="roles" className="text-lg font-semibold">
              Roles
            </h2>
            <Allowed to="roles:write" why="It takes an owner to give roles." />
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
          <RoleMatrix />
        </section>
      </div>
      {isInviting && me !== undefined && <InviteDialog by={me.role} onClose={() => setIsInviting(false)} />}
    </>
  );
}
