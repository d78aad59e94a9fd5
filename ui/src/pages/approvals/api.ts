import { infiniteQueryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import type { LiveEvent } from "@/lib/live";
import type { OnceHeader } from "@/lib/once";
import type { DecidedStatus } from "./filters";

export type Approval = Schemas["ApprovalView"];
export type Decision = Schemas["DecisionRequest"]["decision"];

export const APPROVALS = ["approvals"] as const;
const PAGE = 50;
/** A step may ask while others of its run are at work: of that, the workspace's stream tells nothing. */
const POLL_MS = 15_000;
/** Where the stream is away, they are asked for so often. */
const PAUSED_POLL_MS = 5_000;

type Status = "pending" | DecidedStatus;

/** Approvals of any of these statuses, the newest first. */
export function approvalsQuery(statuses: readonly Status[], run: string | undefined, isPaused: boolean) {
  const status = statuses.join(",");
  return infiniteQueryOptions({
    queryKey: [...APPROVALS, { status, run }],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET("/v1/approvals", {
          params: { query: { limit: PAGE, cursor: pageParam, status, run_id: run ?? null } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: isPaused ? PAUSED_POLL_MS : POLL_MS,
  });
}

/** Decide. Raises ApiProblem 409 where somebody else has, or nobody waits for it any more. */
export function decide(id: string, decision: Decision, comment: string, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/approvals/{approval_id}", {
      params: { path: { approval_id: id }, header },
      body: { decision, comment: comment === "" ? null : comment },
    }),
  );
}

/** Whether events may have opened an approval, or closed one of the runs that are shown. */
export function concerns(events: readonly LiveEvent[], shown: ReadonlySet<string>): boolean {
  return events.some((event) => event.type === "run.waiting" || shown.has(event.run_id));
}
