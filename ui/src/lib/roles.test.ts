import { expect, it } from "vitest";
import { ROLES, ROLE_MAY, isAbove, rolesUpTo } from "./roles";

it("roles are in order, and each says what it may", () => {
  expect(isAbove("owner", "admin")).toBe(true);
  expect(isAbove("viewer", "operator")).toBe(false);
  expect(isAbove("editor", "editor")).toBe(false);
  expect(new Set(ROLES.map((role) => ROLE_MAY[role])).size).toBe(ROLES.length);
});

it("nobody gives more than they hold", () => {
  expect(rolesUpTo("owner")).toEqual(ROLES);
  expect(rolesUpTo("admin")).toEqual(["admin", "editor", "operator", "viewer"]);
  expect(rolesUpTo("viewer")).toEqual(["viewer"]);
});
