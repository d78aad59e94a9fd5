import { cleanup, render, screen, within } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { RoleMatrix } from "./role-matrix";

afterEach(cleanup);

/** What is read out of a permission, from owner to viewer. */
function read(may: string): string[] {
  const row = screen.getByRole("row", { name: new RegExp(`^${may}`) });
  return within(row)
    .getAllByRole("cell")
    .map((cell) => cell.querySelector(".sr-only")?.textContent ?? "");
}

it("says of each permission which roles hold it, in words beside the signs", () => {
  render(<RoleMatrix />);
  expect(screen.getAllByRole("columnheader").map((header) => header.textContent)).toEqual(["May", "owner", "admin", "editor", "operator", "viewer"]);
  expect(read("See workflows")).toEqual(["yes", "yes", "yes", "yes", "yes"]);
  expect(read("Decide approvals")).toEqual(["yes", "yes", "yes", "yes", "no"]);
  expect(read("Publish workflows")).toEqual(["yes", "yes", "yes", "no", "no"]);
  expect(read("Read the audit log")).toEqual(["yes", "yes", "no", "no", "no"]);
  expect(read("Give roles")).toEqual(["yes", "no", "no", "no", "no"]);
});
