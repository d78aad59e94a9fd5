import { describe, expect, it } from "vitest";
import { tellImported, tellMissingSecrets } from "./import-words";

type Item = Parameters<typeof tellImported>[0][number];

function item(name: string, secrets: readonly boolean[] = [], faults = 0, isCut = false): Item {
  const problem = { code: "x", message: "y", pointer: "" };
  const rest = { ...problem, code: "more_problems", message: "7 more are left out of this answer" };
  return {
    name,
    problems: [...Array.from({ length: faults }, () => problem), ...(isCut ? [rest] : [])],
    triggers: secrets.map((needs_secret) => ({ needs_secret, outcome: "created", trigger: {} as Item["triggers"][number]["trigger"] })),
  };
}

describe("an import", () => {
  it.each([
    ["names what came", [item("Orders"), item("Refunds")], "Imported Orders, Refunds."],
    ["tells of one fault", [item("Orders", [], 1)], "Imported Orders, with 1 fault to mend before publishing."],
    ["tells of the faults of all", [item("Orders", [], 2), item("Refunds", [], 1)], "Imported Orders, Refunds, with 3 faults to mend before publishing."],
    ["counts what it left out as no fault", [item("Orders", [], 1_000, true), item("Refunds", [], 0, true)], "Imported Orders, Refunds, with more than 1,000 faults to mend before publishing."],
  ])("%s", (_, items, said) => {
    expect(tellImported(items)).toBe(said);
  });

  it("of triggers that need no secret says nothing of secrets", () => {
    expect(tellMissingSecrets([item("Orders", [false, false]), item("Refunds")])).toBeUndefined();
  });

  it("says which triggers refuse everything until they have a secret", () => {
    expect(tellMissingSecrets([item("Refunds"), item("Orders", [false, true])])).toBe(
      "A trigger of Orders needs a secret, which no file holds: it refuses everything until you edit it and give it one.",
    );
    expect(tellMissingSecrets([item("Orders", [true, true]), item("Refunds", [true])])).toBe(
      "3 triggers of Orders, Refunds need a secret, which no file holds: they refuse everything until you edit each and give it one.",
    );
  });
});
