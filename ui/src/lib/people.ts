import { queryOptions, useQuery } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "./api";

export type Member = Schemas["MemberView"];

const PAGE = 200;

/** Everybody in the workspace, the oldest accounts last; where that is asked for, with when each was last seen, which admins may know. */
export async function readMembers(signal: AbortSignal, isSeenAsked = false): Promise<Member[]> {
  const all: Member[] = [];
  let cursor: string | null = null;
  do {
    const query = { limit: PAGE, cursor, ...(isSeenAsked && { last_seen: true }) };
    const page: Schemas["Page_MemberView_"] = await unwrap(api.GET("/v1/members", { params: { query }, signal }));
    all.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
}

export const membersQuery = queryOptions({
  queryKey: ["members"],
  queryFn: ({ signal }) => readMembers(signal),
  staleTime: 60_000,
});

/** The name of a user by id; who has left the workspace is named by nobody any more. */
export function usePeople(): (id: string) => string {
  const members = useQuery(membersQuery).data;
  return (id) => nameOf(members, id);
}

/** What is read where a user is meant. */
export function nameOf(members: readonly Member[] | undefined, id: string): string {
  if (members === undefined) return "…";
  return members.find((member) => member.id === id)?.name ?? "somebody who has left";
}
