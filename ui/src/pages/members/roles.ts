import { type Role, isAbove, rolesUpTo } from "@/lib/roles";

/** The roles that somebody of this role may invite to, the weakest first: whoever is unsure gives little. */
export function offeredBy(role: Role): Role[] {
  return rolesUpTo(role).reverse();
}

/** Why a member cannot be removed by somebody; undefined where they can. */
export function whyNotRemove(member: { role: Role; isSelf: boolean; isLastOwner: boolean }, by: { role: Role; mayRemove: boolean }): string | undefined {
  if (member.isLastOwner) return "The last owner stays: give somebody else this role first.";
  if (member.isSelf) return undefined;
  if (!by.mayRemove) return "It takes an admin to remove members.";
  if (isAbove(member.role, by.role)) return `Your role is ${by.role}: you cannot remove an ${member.role}.`;
  return undefined;
}
