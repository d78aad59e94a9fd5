import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import type { OnceHeader } from "@/lib/once";
import { membersQuery, readMembers } from "@/lib/people";
import type { Role } from "@/lib/roles";

export type Invitation = Schemas["InvitationView"];
export type MadeInvitation = Schemas["MadeInvitation"];

export const INVITATIONS = ["invitations"] as const;

export const invitationsQuery = infiniteQueryOptions({
  queryKey: INVITATIONS,
  queryFn: ({ pageParam, signal }) =>
    unwrap(api.GET("/v1/invitations", { params: { query: { limit: 50, cursor: pageParam } }, signal })),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next_cursor,
});

/** When each member was last seen here, by their id; it is for admins, and read where it is shown alone. */
export const lastSeenQuery = queryOptions({
  queryKey: [...membersQuery.queryKey, "seen"],
  queryFn: async ({ signal }) => new Map((await readMembers(signal, true)).map(({ id, last_seen_at: at }) => [id, at])),
  staleTime: 60_000,
});

/** Give a member another role. Raises ApiProblem 409 for the last owner. */
export function changeRole(id: string, role: Role) {
  return unwrap(api.PATCH("/v1/members/{user_id}", { params: { path: { user_id: id } }, body: { role } }));
}

/** Remove somebody else. */
export function removeMember(id: string) {
  return unwrap(api.DELETE("/v1/members/{user_id}", { params: { path: { user_id: id } } }));
}

/** Leave the workspace that one is in, whatever one's role. Raises ApiProblem 409 for the last owner. */
export function leave(workspaceId: string) {
  return unwrap(api.POST("/v1/workspaces/{workspace_id}/leave", { params: { path: { workspace_id: workspaceId } }, body: {} }));
}

/** Invite somebody; the link comes this once. */
export function invite(email: string, role: Role, header: OnceHeader): Promise<MadeInvitation> {
  return unwrap(api.POST("/v1/invitations", { params: { header }, body: { email, role } }));
}

/** Take an invitation back: its link is void at once. */
export function revoke(id: string) {
  return unwrap(api.DELETE("/v1/invitations/{invitation_id}", { params: { path: { invitation_id: id } } }));
}
