import { describe, expect, it } from "vitest";
import { readExact } from "@/lib/exact-json";
import type { AuditEntry } from "./api";
import { sayAction, sayActor, saySide, sayTarget } from "./words";

function entry(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    seq: 1,
    at: "2026-11-27T12:00:00Z",
    action: "variable.set",
    outcome: "done",
    actor: { user_id: "u", email: "grace@example.com", api_key_id: null, api_key_name: null },
    address: null,
    request_id: null,
    target: null,
    before: null,
    after: null,
    hash: "00",
    ...more,
  };
}

describe("entries in words", () => {
  it.each([
    ["api_key.created", "API key created"],
    ["workflow.published", "Workflow published"],
    ["session.others_ended", "Signed out everywhere else"],
    ["session", "Session"],
  ])("say %s as %s", (action, said) => {
    expect(sayAction(action)).toBe(said);
  });

  it("name whoever did it, and by which key", () => {
    expect(sayActor(entry())).toBe("grace@example.com");
    expect(sayActor(entry({ actor: { ...entry().actor, api_key_id: "k", api_key_name: "ci" } }))).toBe("grace@example.com by the key ci");
    expect(sayActor(entry({ actor: { ...entry().actor, user_id: null, email: null } }))).toBe("somebody unknown");
  });

  it("name what it was done to, by its id where it has no name", () => {
    expect(sayTarget(entry({ target: { type: "variable", id: "region", name: null } }))).toBe("region");
    expect(sayTarget(entry({ target: { type: "api_key", id: "1", name: "ci" } }))).toBe("ci");
    expect(sayTarget(entry())).toBe("");
  });

  it("tell a side that is false or empty, and none that is not there", () => {
    expect(saySide(false)).toBe("false");
    expect(saySide("")).toBe('""');
    expect(saySide(readExact('{"bytes":9007199254740993,"rate":1.0}'))).toBe('{\n  "bytes": 9007199254740993,\n  "rate": 1.0\n}');
    expect(saySide(null)).toBeUndefined();
  });
});
