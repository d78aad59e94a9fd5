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
export const PERIODS = { "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days" } as const;
export type Period = keyof typeof PERIODS;
export const OUTCOMES = { done: "Done", refused: "Refused" } as const;
export type AuditOutcome = keyof typeof OUTCOMES;

const HOUR_MS = 3_600_000;
const PERIOD_MS = { "1h": HOUR_MS, "24h": 24 * HOUR_MS, "7d": 168 * HOUR_MS, "30d": 720 * HOUR_MS } satisfies Record<Period, number>;
/** So that the same filters ask for the same entries for a while. */
const ROUND_MS = 60_000;
const ACTION = /^[a-z_]{1,40}(\.[a-z_]{1,23})?$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

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
  const { action, user } = search;
  const outcome = (Object.keys(OUTCOMES) as AuditOutcome[]).find((known) => known === search["outcome"]);
  const period = (Object.keys(PERIODS) as Period[]).find((known) => known === search["period"]);
  const target = readSearchText(search["target"]);
  const q = readSearchText(search["q"]);
  return {
    ...(typeof action === "string" && ACTION.test(action) ? { action } : {}),
    ...(outcome === undefined ? {} : { outcome }),
    ...(typeof user === "string" && UUID.test(user) ? { user } : {}),
    ...(target === undefined ? {} : { target: target.slice(0, 200) }),
    ...(period === undefined ? {} : { period }),
    ...(q === undefined ? {} : { q: q.slice(0, 200) }),
  };
}

/** The query of the API for these filters. */
export function toQuery(filters: AuditFilters, now: number) {
  const since = filters.period === undefined ? undefined : now - PERIOD_MS[filters.period];
  return {
    action: filters.action ?? null,
    outcome: filters.outcome ?? null,
    user_id: filters.user ?? null,
    target_id: filters.target ?? null,
    since: since === undefined ? null : new Date(Math.floor(since / ROUND_MS) * ROUND_MS).toISOString(),
    q: filters.q ?? null,
  };
}
