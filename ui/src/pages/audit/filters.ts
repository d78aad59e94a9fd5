import { readId } from "@/lib/id";
import { type Period, beginOf, readPeriod } from "@/lib/period";
import { readSearchText } from "@/lib/search-text";

/** Kinds of actions, as people call them. Each is what stands before the dot of an action. */
export const KINDS = {
  session: "Sign-ins",
  password: "Passwords",
  member: "Members",
  invitation: "Invitations",
  workspace: "Workspace",
  api_key: "API keys",
  connection: "Connections",
  variable: "Variables",
  workflow: "Workflows",
  trigger: "Triggers",
  run: "Runs",
  approval: "Approvals",
  access: "Refused calls",
} as const;
export const OUTCOMES = { done: "Done", refused: "Refused" } as const;
export type AuditOutcome = keyof typeof OUTCOMES;

const ACTION = /^[a-z_]{1,40}(\.[a-z_]{1,23})?$/;

/** Which entries are listed and exported; it lives in the address of the page. */
export interface AuditFilters {
  /** A kind, or one action. */
  action?: string;
  outcome?: AuditOutcome;
  /** Whoever did it. */
  user?: string;
  /** What it was done to. */
  target?: string;
  period?: Period;
  q?: string;
}

/** The filters of an address; whatever is none is left out. */
export function readAuditFilters(search: Record<string, unknown>): AuditFilters {
  const { action } = search;
  const user = readId(search["user"]);
  const outcome = (Object.keys(OUTCOMES) as AuditOutcome[]).find((known) => known === search["outcome"]);
  const period = readPeriod(search["period"]);
  const target = readSearchText(search["target"]);
  const q = readSearchText(search["q"]);
  return {
    ...(typeof action === "string" && ACTION.test(action) ? { action } : {}),
    ...(outcome === undefined ? {} : { outcome }),
    ...(user === undefined ? {} : { user }),
    ...(target === undefined ? {} : { target: target.slice(0, 200) }),
    ...(period === undefined ? {} : { period }),
    ...(q === undefined ? {} : { q: q.slice(0, 200) }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: AuditFilters, now: number) {
  return {
    action: filters.action ?? null,
    outcome: filters.outcome ?? null,
    user_id: filters.user ?? null,
    target_id: filters.target ?? null,
    since: beginOf(filters.period, now),
    q: filters.q ?? null,
  };
}
