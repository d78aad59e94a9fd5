import type { Schemas } from "./api";

export type Role = Schemas["Role"];

/** The strongest first; each holds what the next one has. */
export const ROLES = ["owner", "admin", "editor", "operator", "viewer"] as const satisfies readonly Role[];

/** What a role may do beyond the next weaker one. */
export const ROLE_MAY = {
  owner: "settles the workspace and gives roles",
  admin: "invites and removes members, keeps connections and API keys, reads the audit log",
  editor: "writes and publishes workflows, triggers and variables",
  operator: "starts, cancels and retries runs, and decides approvals",
  viewer: "sees workflows, runs, variables, and the names of connections",
} as const satisfies Record<Role, string>;

/** Whether `role` holds more than `other` does. */
export function isAbove(role: Role, other: Role): boolean {
  return ROLES.indexOf(role) < ROLES.indexOf(other);
}

/** The roles that somebody of this role may give, to people or to keys: nobody gives more than they hold. */
export function rolesUpTo(role: Role): Role[] {
  return ROLES.filter((one) => !isAbove(one, role));
}
