import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import type { Config } from "@/features/triggers/trigger";
import { type Schemas, api, unwrap, unwrapExact } from "@/lib/api";
import { writeExact } from "@/lib/exact-json";
import type { OnceHeader } from "@/lib/once";
import type { TriggerType } from "./trigger-config";

export type Received = Schemas["ReceivedView"];

const POLL_MS = 5_000;
/** Numbers go as they were typed: the API says what is wrong with those, and not with what JavaScript makes of them. */
const AS_TYPED = { bodySerializer: (body: unknown) => writeExact(body) };

export function createTrigger(workflowId: string, type: TriggerType, config: Config, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/workflows/{workflow_id}/triggers", {
      params: { path: { workflow_id: workflowId }, header },
      body: { type, config, enabled: true },
      ...AS_TYPED,
    }),
  );
}

export function changeTrigger(id: string, change: Schemas["TriggerChange"]) {
  return unwrap(api.PATCH("/v1/triggers/{trigger_id}", { params: { path: { trigger_id: id } }, body: change, ...AS_TYPED }));
}

export function deleteTrigger(id: string) {
  return unwrap(api.DELETE("/v1/triggers/{trigger_id}", { params: { path: { trigger_id: id } } }));
}

export function rotateTrigger(id: string, what: "url" | "secret", header: OnceHeader) {
  return unwrap(
    api.POST("/v1/triggers/{trigger_id}/rotate", {
      params: { path: { trigger_id: id }, header },
      body: { what, secret: null, overlap_hours: 24 },
    }),
  );
}

/** What a trigger received last; asked for again and again while somebody looks. */
export function receivedQuery(id: string) {
  return queryOptions({
    queryKey: ["received", id],
    queryFn: ({ signal }) =>
      unwrapExact<Schemas["Page_ReceivedView_"]>(
        api.GET("/v1/triggers/{trigger_id}/events", { params: { path: { trigger_id: id } }, parseAs: "text", signal }),
      ),
    refetchInterval: POLL_MS,
  });
}

/** When a schedule would be due that is not saved yet. */
export function previewQuery(config: Config) {
  return queryOptions({
    queryKey: ["schedule-preview", config],
    queryFn: ({ signal }) => unwrap(api.POST("/v1/triggers/preview", { body: { config }, signal })),
    placeholderData: keepPreviousData,
    retry: false,
  });
}
