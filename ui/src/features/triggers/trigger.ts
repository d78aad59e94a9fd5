import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import { AUTHS, EVENTS, say } from "@/lib/trigger-words";

export type Trigger = Schemas["TriggerView"];
export type Config = Readonly<Record<string, unknown>>;

/** The triggers of a workflow. */
export function triggersQuery(workflowId: string) {
  return queryOptions({
    queryKey: ["workflow", workflowId, "triggers"],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/v1/workflows/{workflow_id}/triggers", { params: { path: { workflow_id: workflowId } }, signal })),
  });
}

/** What a trigger does, in a line. */
export function describeTrigger(trigger: Pick<Trigger, "type" | "config">): string {
  const config = trigger.config as Config;
  if (trigger.type === "schedule") {
    if ("cron" in config) return `${String(config["cron"])} (${String(config["timezone"] ?? "UTC")})`;
    return "every_seconds" in config ? `every ${String(config["every_seconds"])} s` : `once, at ${String(config["at"])}`;
  }
  if (trigger.type === "event") return `when a run of ${"workflow_id" in config ? "one" : "any"} workflow ${say(EVENTS, String(config["event"]))}`;
  return say(AUTHS, typeOfAuth(config));
}

/** The kind of authentication that a webhook asks for. */
export function typeOfAuth(config: Config): string {
  const auth = config["auth"];
  return typeof auth === "object" && auth !== null ? String((auth as Config)["type"]) : "none";
}
