import type { Permission } from "@/lib/me";
import { type Role, isAbove } from "@/lib/roles";

/** What each permission lets somebody do, and the weakest role that holds it: every stronger one does so as well. */
export const PERMISSIONS = {
  "workflows:read": { may: "See workflows and their versions", from: "viewer" },
  "triggers:read": { may: "See triggers", from: "viewer" },
  "runs:read": { may: "See runs, approvals, inbound events and the dashboard", from: "viewer" },
  "variables:read": { may: "See variables", from: "viewer" },
  "connections:read": { may: "See connections, without their secrets", from: "viewer" },
  "members:read": { may: "See members", from: "viewer" },
  "account:read": { may: "Look after their own account and sign-ins", from: "viewer" },
  "runs:start": { may: "Start and rerun workflows", from: "operator" },
  "runs:control": { may: "Cancel, retry and signal runs", from: "operator" },
  "approvals:decide": { may: "Decide approvals", from: "operator" },
  "workflows:write": { may: "Make, change, test and import workflows", from: "editor" },
  "workflows:publish": { may: "Publish workflows", from: "editor" },
  "workflows:delete": { may: "Delete workflows", from: "editor" },
  "triggers:write": { may: "Make, change and delete triggers", from: "editor" },
  "variables:write": { may: "Set and delete variables", from: "editor" },
  "members:write": { may: "Invite and remove members", from: "admin" },
  "connections:write": { may: "Make, change, test and delete connections", from: "admin" },
  "api_keys:write": { may: "Make and revoke API keys", from: "admin" },
  "audit:read": { may: "Read the audit log", from: "admin" },
  "metrics:read": { may: "See operations and metrics", from: "admin" },
  "workspace:write": { may: "Rename the workspace", from: "owner" },
  "roles:write": { may: "Give roles", from: "owner" },
} as const satisfies Record<Permission, { may: string; from: Role }>;

/** Whether somebody of this role has it. */
export function holds(role: Role, { from }: { from: Role }): boolean {
  return !isAbove(from, role);
}
