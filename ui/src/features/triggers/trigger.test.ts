import { expect, it } from "vitest";
import { describeTrigger } from "./trigger";

it.each([
  ["webhook", {}, "Open to whoever knows its address"],
  ["webhook", { auth: { type: "stripe" } }, "Signature of Stripe"],
  ["schedule", { cron: "0 6 * * *" }, "0 6 * * * (UTC)"],
  ["schedule", { every_seconds: 60 }, "every 60 s"],
  ["event", { event: "run.failed" }, "when a run of any workflow has failed"],
  ["event", { event: "run.held", workflow_id: "w" }, "when a run of one workflow was held for a slot"],
  ["event", { event: "run.praised" }, "when a run of any workflow run.praised"],
  ["webhook", { auth: { type: "constructor" } }, "constructor"],
])("a %s of %j is told as %s", (type, config, text) => {
  expect(describeTrigger({ type, config: config as never })).toBe(text);
});
