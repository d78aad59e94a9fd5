import { describe, expect, it } from "vitest";
import type { Config } from "@/features/triggers/trigger";
import { writeExact } from "@/lib/exact-json";
import { readForm, writeConfig } from "./trigger-config";

describe("the form of a trigger", () => {
  it.each([
    ["webhook", { auth: "none", respond: "accepted" }],
    ["webhook", { auth: { type: "hmac", header: "X-Sign", algorithm: "sha512" }, filter: "true", respond: "sync", rate_limit: { per_minute: 3 } }],
    ["schedule", { cron: "0 6 * * *", timezone: "Europe/Berlin", missed: "skip" }],
    ["schedule", { every_seconds: 60, missed: "run_all", missed_limit: 5 }],
    ["schedule", { at: "2027-01-01T00:00:00Z", missed: "run_once" }],
    ["event", { event: "run.failed", workflow_id: "w", filter: "trigger.depth == 1" }],
  ] as const)("of a %s gives back what it was made from: %j", (type, config) => {
    expect(writeConfig(readForm(type, config), config)).toEqual(config);
  });

  it("leaves a secret alone that was not typed, and says one that was", () => {
    const before: Config = { auth: { type: "github" } };
    const form = readForm("webhook", before);
    expect(writeConfig(form, before)["auth"]).toEqual({ type: "github" });
    expect(writeConfig({ ...form, secret: "s" }, before)["auth"]).toEqual({ type: "github", secret: "s" });
  });

  it("forgets the settings of another kind of authentication", () => {
    const before: Config = { auth: { type: "hmac", header: "X-Sign" } };
    expect(writeConfig({ ...readForm("webhook", before), auth: "github", secret: "s" }, before)["auth"]).toEqual({ type: "github", secret: "s" });
    expect(writeConfig({ ...readForm("webhook", before), auth: "none" }, before)["auth"]).toBe("none");
  });

  it("sends numbers among further settings as they were typed", () => {
    const more = '{\n  "respond_timeout": 2.0,\n  "rate_limit": {\n    "per_minute": 12345678901234567890123\n  }\n}';
    const config = writeConfig({ ...readForm("webhook"), more });
    expect(writeExact(config)).toContain('"respond_timeout":2.0,"rate_limit":{"per_minute":12345678901234567890123}');
    expect(readForm("webhook", config).more).toBe(more);
  });

  it.each(["[1]", "7", "{"])("refuses %s as further settings", (more) => {
    expect(() => writeConfig({ ...readForm("webhook"), more })).toThrow();
  });
});
