import { expect, it } from "vitest";
import { describeTrigger, nameTrigger } from "./trigger";

it.each([
  ["webhook", {}, "open to whoever knows its address"],
  ["webhook", { auth: { type: "stripe" } }, "signed or signed in: stripe"],
  ["schedule", { cron: "0 6 * * *" }, "0 6 * * * (UTC)"],
  ["schedule", { every_seconds: 60 }, "every 60 s"],
  ["event", { event: "run.failed" }, "on run.failed of any workflow"],
])("a %s of %j is told as %s", (type, config, text) => {
  expect(describeTrigger({ type, config: config as never })).toBe(text);
});

it("a kind of triggers that is not known here goes by its own name", () => {
  expect([nameTrigger("webhook"), nameTrigger("mail")]).toEqual(["Webhook", "mail"]);
});
