import { readId } from "@/lib/id";

export const DECIDED_STATUSES = ["approved", "rejected", "timed_out", "cancelled"] as const;
export type DecidedStatus = (typeof DECIDED_STATUSES)[number];

/** Which approvals are listed; it lives in the address of the page. */
export interface ApprovalFilters {
  /** Of those that are over, the ones that ended so. */
  status?: DecidedStatus;
  /** Those of one run alone. */
  run?: string;
}

/** The filters of an address; whatever is none is left out. */
export function readApprovalFilters(search: Record<string, unknown>): ApprovalFilters {
  const status = DECIDED_STATUSES.find((known) => known === search["status"]);
  const run = readId(search["run"]);
  return {
    ...(status === undefined ? {} : { status }),
    ...(run === undefined ? {} : { run }),
  };
}
