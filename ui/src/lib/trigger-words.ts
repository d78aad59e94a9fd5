import type { Schemas } from "./api";

/** What starts a run: a trigger, somebody, a program, another workflow. */
export type StartedBy = NonNullable<Schemas["BulkFilter"]["trigger_type"]>;

/** What the choices of triggers are called, by their names in the API: each has its words here, and nowhere else. */
const STARTED_BY = {
  manual: "By hand",
  api: "API",
  webhook: "Webhook",
  schedule: "Schedule",
  event: "Event",
  workflow: "Workflow",
} satisfies Record<StartedBy, string>;

/** The kinds of triggers, as they are offered. */
export const KINDS = {
  webhook: STARTED_BY.webhook,
  schedule: STARTED_BY.schedule,
  event: "Event of another run",
} satisfies Record<Schemas["NewTrigger"]["type"], string>;

/** By what a schedule is due. */
export const TIMINGS = {
  cron: "By a cron expression",
  every_seconds: "Every so many seconds",
  at: "Once",
} as const;

/** How a hook knows its sender. */
export const AUTHS = {
  none: "Open to whoever knows its address",
  standard_webhooks: "Signature of Standard Webhooks",
  github: "Signature of GitHub",
  stripe: "Signature of Stripe",
  slack: "Signature of Slack",
  hmac: "Signature of another kind (HMAC)",
  basic: "User name and password",
  bearer: "Bearer token",
} as const;

/** What becomes of due times at which nothing could be started. */
export const MISSED = {
  run_once: "One run makes up for all of them",
  run_all: "A run for each of them",
  skip: "They are left out",
} as const;

/** What may happen to a run. */
export const EVENTS = {
  "run.failed": "has failed",
  "run.succeeded": "has succeeded",
  "run.timed_out": "has timed out",
  "run.cancelled": "was cancelled",
  "run.queued": "was queued",
  "run.started": "has begun",
  "run.waiting": "has begun to wait",
  "run.resumed": "has gone on after a wait",
  "run.held": "was held for a slot",
  "run.signalled": "was sent a signal",
  "run.retried": "was retried",
} as const;

/** The kind of a trigger, or what else starts runs, in words; one that is newer than this page goes by its own name. */
export function nameTrigger(type: string): string {
  return say(STARTED_BY, type);
}

/** What a choice is called in words; one that is newer than this page goes by its own name. */
export function say(words: Readonly<Record<string, string>>, choice: string): string {
  return Object.hasOwn(words, choice) ? (words[choice] as string) : choice;
}
