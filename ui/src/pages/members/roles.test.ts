import { describe, expect, it } from "vitest";
import { ROLES } from "@/lib/roles";
import { offeredBy, whyNotRemove } from "./roles";

it("roles are offered up to one's own, the weakest first", () => {
  expect(offeredBy("admin")).toEqual(["viewer", "operator", "editor", "admin"]);
  expect(offeredBy("owner").at(-1)).toBe("owner");
});

describe("removing a member", () => {
  const admin = { role: "admin", mayRemove: true } as const;

  it("is for admins, of members up to their own role", () => {
    expect(whyNotRemove({ role: "editor", isSelf: false, isLastOwner: false }, admin)).toBeUndefined();
    expect(whyNotRemove({ role: "admin", isSelf: true, isLastOwner: false }, admin)).toBeUndefined();
    expect(whyNotRemove({ role: "owner", isSelf: false, isLastOwner: false }, admin)).toContain("cannot remove an owner");
    expect(whyNotRemove({ role: "viewer", isSelf: false, isLastOwner: false }, { role: "editor", mayRemove: false })).toContain("an admin");
  });

  it("is for everybody where they leave themselves", () => {
    for (const role of ROLES) expect(whyNotRemove({ role, isSelf: true, isLastOwner: false }, { role, mayRemove: false })).toBeUndefined();
  });

  it("leaves the last owner", () => {
    expect(whyNotRemove({ role: "owner", isSelf: true, isLastOwner: true }, { role: "owner", mayRemove: true })).toContain("last owner");
  });
});
