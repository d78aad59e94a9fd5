import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrapExact } from "@/lib/api";

export type Run = Schemas["RunDetail"];
export type Step = Schemas["StepView"];

/** Where the run's stream is away, the run is asked for so often. */
const POLL_MS = 5_000;

/** A run with its steps. */
export function runQuery(id: string, isPolled = false) {
  return queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => unwrapExact<Run>(api.GET("/v1/runs/{run_id}", { params: { path: { run_id: id } }, parseAs: "text", signal })),
    refetchInterval: isPolled ? POLL_MS : false,
  });
}

/** What a run is of, in a word: the version, or the draft as it was tested. */
export function nameVersion(version: number): string {
  return version === 0 ? "draft" : `v${version}`;
}
