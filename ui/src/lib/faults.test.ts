import { describe, expect, it } from "vitest";
import { sortFaults } from "./faults";
import { ApiProblem, Unreachable } from "./problem";

function problem(errors: { pointer: string; message: string }[]): ApiProblem {
  const all = errors.map((one) => ({ ...one, code: "format" }));
  return new ApiProblem({ detail: "The request is faulty.", errors: all }, new Response(null, { status: 422 }));
}

describe("what the API finds wrong with a form", () => {
  it("stands at its field, also where it is about a part of it", () => {
    const { at, rest } = sortFaults(
      problem([
        { pointer: "/name", message: "it is too long" },
        { pointer: "/allowed_hosts/1", message: "a host is written like api.example.com" },
      ]),
      ["/name", "/allowed_hosts"],
    );
    expect(at.get("/name")).toBe("It is too long");
    expect(at.get("/allowed_hosts")).toBe("A host is written like api.example.com");
    expect(rest).toBeUndefined();
  });

  it("is told once for a field with several faults", () => {
    const { at } = sortFaults(problem([{ pointer: "/a", message: "one" }, { pointer: "/a", message: "two" }]), ["/a"]);
    expect(at.get("/a")).toBe("One · Two");
  });

  it("stands above the form where it has no such field, and no field takes what only begins like it", () => {
    const { at, rest } = sortFaults(problem([{ pointer: "/names", message: "what is this" }]), ["/name"]);
    expect(at.size).toBe(0);
    expect(rest).toBe("/names: what is this");
  });

  it("is the whole sentence where no field is named, and nothing where nothing is wrong", () => {
    expect(sortFaults(problem([]), ["/name"]).rest).toBe("The request is faulty.");
    expect(sortFaults(new Unreachable(undefined), []).rest).toContain("does not answer");
    expect(sortFaults(null, []).rest).toBeUndefined();
  });
});
