import { describe, expect, it } from "vitest";
import type { LiveEvent } from "@/lib/live";
import type { RunFilters } from "./filters";
import { NO_NEWS, noteNews, tellNews } from "./news";

const ORDERS = "01a21a4f-3d41-7000-8000-000000000001";
const OTHER = "01a21a4f-3d41-7000-8000-000000000002";

function event(run_id: string, status: string, workflow_id = ORDERS): LiveEvent {
  return { run_id, type: `run.${status}`, status, workflow_id, seq: 1, at: "2026-11-27T12:00:00Z" };
}

const NOW = Date.parse("2026-11-27T12:00:30Z");
const of = (filters: RunFilters) => ({ filters, now: NOW });
const at = (moment: string) => `${Date.parse(moment).toString(16).padStart(12, "0")}-7000-8000-000000000001`;

describe("runs that the list has no row for", () => {
  it("are new where they have begun, each once, however they go on", () => {
    const first = noteNews(NO_NEWS, [event("a", "queued"), event("b", "running"), event("a", "running")], of({}));
    expect([...first]).toEqual(["a"]);
    expect([...noteNews(first, [event("a", "succeeded"), event("c", "queued")], of({}))]).toEqual(["a", "c"]);
  });

  it("are those of the workflow that is looked at", () => {
    const told = [event("a", "queued", OTHER), event("b", "queued")];
    expect([...noteNews(NO_NEWS, told, of({ workflow: ORDERS }))]).toEqual(["b"]);
  });

  it("are those that were created between the two moments", () => {
    const [early, meant, late] = ["2026-11-27T09:59:59Z", "2026-11-27T10:00:00Z", "2026-11-27T11:00:00Z"].map(at) as [string, string, string];
    const told = [early, meant, late].map((id) => event(id, "queued"));
    const [from, to] = ["2026-11-27T10:00:00.000Z", "2026-11-27T11:00:00.000Z"];
    expect([...noteNews(NO_NEWS, told, of({ from, to }))]).toEqual([meant]);
    expect([...noteNews(NO_NEWS, told, of({ to }))]).toEqual([early, meant]);
  });

  it("are those of the period, as it is then", () => {
    const [early, meant] = ["2026-11-27T10:59:59Z", "2026-11-27T11:00:00Z"].map(at) as [string, string];
    expect([...noteNews(NO_NEWS, [event(early, "failed"), event(meant, "failed")], of({ period: "1h", status: ["failed"] }))]).toEqual([meant]);
  });

  it("are not those that come further down, where there are more rows", () => {
    const [old, last, young] = ["2026-11-27T09:00:00Z", "2026-11-27T10:00:00Z", "2026-11-27T11:00:00Z"].map(at) as [string, string, string];
    const told = [event(old, "failed"), event(young, "failed")];
    const filters = { status: ["failed" as const] };
    expect([...noteNews(NO_NEWS, told, { filters, now: NOW, last })]).toEqual([young]);
    expect([...noteNews(NO_NEWS, told, { filters, now: NOW, last: undefined })]).toEqual([old, young]);
  });

  it("are those that have come to a status that is looked at, for as long as they have it", () => {
    const filters = { status: ["failed" as const, "running" as const] };
    const first = noteNews(NO_NEWS, [event("a", "queued"), event("a", "running"), event("b", "failed"), event("c", "queued")], of(filters));
    expect([...first]).toEqual(["a", "b"]);
    expect([...noteNews(first, [event("a", "succeeded")], of(filters))]).toEqual(["b"]);
  });
});

describe("what is said of them", () => {
  it("is how many there are", () => {
    expect([tellNews(1, {}), tellNews(7, { status: ["failed"] })]).toEqual(["1 new run", "7 new runs"]);
  });

  it("is no number where the stream does not tell what the filters go by", () => {
    expect(tellNews(2, { q: "card" })).toBe("There may be new runs");
    expect(tellNews(2, { trigger: "webhook" })).toBe("There may be new runs");
  });

  it("is that something was missed where nobody knows how many there are", () => {
    expect(tellNews(Number.POSITIVE_INFINITY, { q: "card" })).toBe("Something was missed: show the newest");
  });
});
