import { queryOptions } from "@tanstack/react-query";
import type { Run } from "@/features/runs/run";
import { type Schemas, api, unwrapExact } from "@/lib/api";
import { isLive } from "@/lib/status";
import { type Side, findFirstDifference } from "./items";

/** As many as the API gives at once. */
const PAGE = 200;

/** Where the items of a loop differ first in two runs. */
export function loopQuery(a: Run, b: Run, path: string) {
  const isOver = !isLive(a.status) && !isLive(b.status);
  return queryOptions({
    // Once both have ended, what was found before is not the end of it.
    queryKey: ["run", a.id, "beside", b.id, path, isOver],
    queryFn: ({ signal }) => findFirstDifference(sideOf(a, path, signal), sideOf(b, path, signal)),
    // What has ended stays as it is.
    ...(isOver ? { staleTime: Number.POSITIVE_INFINITY } : {}),
  });
}

function sideOf(run: Run, parent: string, signal: AbortSignal): Side {
  return {
    created_at: run.created_at,
    read: (cursor) => {
      const params = { path: { run_id: run.id }, query: { parent, limit: PAGE, cursor } };
      return unwrapExact<Schemas["Page_IterationView_"]>(api.GET("/v1/runs/{run_id}/steps", { params, parseAs: "text", signal }));
    },
  };
}
