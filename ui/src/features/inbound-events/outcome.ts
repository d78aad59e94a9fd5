import type { Schemas } from "@/lib/api";
import type { Look } from "@/lib/status";

export type Receipt = Schemas["Receipt"];
export type Outcome = Receipt["outcome"];

/** What may become of an event, in the order in which filters name it. */
export const OUTCOMES = ["started", "pending", "duplicate", "filtered", "rejected"] as const satisfies readonly Outcome[];

export const OUTCOME_LOOKS = {
  started: { tone: "succeeded", label: "Started" },
  pending: { tone: "waiting", label: "Pending" },
  duplicate: { tone: "skipped", label: "Duplicate" },
  filtered: { tone: "cancelled", label: "Filtered" },
  rejected: { tone: "failed", label: "Rejected" },
} satisfies Record<Outcome, Look>;

/** The outcome of that name; undefined where there is none. */
export function findOutcome(name: unknown): Outcome | undefined {
  return OUTCOMES.find((known) => known === name);
}

/** Why an event started no run, or a call was refused, by the code that its receipt holds. */
const REASONS: Readonly<Record<string, string>> = {
  filter: "the filter leaves it out",
  filter_failed: "the filter failed",
  dedup_key_failed: "the deduplication key failed",
  key_failed: "the key failed by which events are held",
  event_loop: "it follows from a run that it would start again",
  too_deep: "too many runs have started each other",
  event_storm: "too many runs follow from one event",
  trigger_deleted: "the trigger was deleted while it waited",
  workflow_deleted: "the workflow was deleted while it waited",
  too_many_held: "too many events wait already",
  too_many_requests: "more calls than the limit allows",
  invalid_signature: "the signature or the credentials are wrong",
  payload_too_large: "the body is too large",
};

/** A reason in words; one that is not known here as its code. */
export function tellReason(reason: string): string {
  return REASONS[reason] ?? reason;
}
