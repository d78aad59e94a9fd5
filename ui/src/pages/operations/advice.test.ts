import { describe, expect, it } from "vitest";
import { describeWork, findFaults, findUnseen } from "./advice";
import type { Operations, Process } from "./api";

const AT = "2026-11-27T12:00:00Z";
const NOTHING = { count: 0, oldest_seconds: null };

function process(role: string, more: Partial<Process> = {}): Process {
  return {
    role,
    host: "here",
    pid: 7,
    status: "ok",
    started_at: AT,
    heartbeat_at: null,
    memory_bytes: null,
    open_files: null,
    runs: null,
    steps_in_flight: null,
    streams: null,
    leads: null,
    ...more,
  };
}

function operations(more: Partial<Operations> = {}): Operations {
  return {
    at: AT,
    processes: ["api", "relay", "worker"].map((role) => process(role)),
    is_complete: true,
    queue: NOTHING,
    outbox: NOTHING,
    due: NOTHING,
    ...more,
  };
}

describe("what is wrong", () => {
  it("is nothing where all is well, and where what waits has just come", () => {
    expect(findFaults(operations({ queue: { count: 900, oldest_seconds: 3 } }))).toEqual([]);
  });

  it.each([
    ["no worker", { processes: [process("api"), process("relay")] }, /^No worker lives/],
    ["no relay", { processes: [process("api"), process("worker")] }, /^No relay lives/],
    ["a silent worker", { processes: [process("relay"), process("worker", { status: "silent" })] }, /^The worker 7 at here is silent/],
    ["an outbox that does not empty", { outbox: { count: 1, oldest_seconds: 31 } }, /^The outbox/],
    ["runs that wait for long", { queue: { count: 1, oldest_seconds: 31 } }, /^Runs wait/],
    ["waits that end late", { due: { count: 1, oldest_seconds: 31 } }, /^Waits end late/],
  ] as const)("is %s", (_, more, said) => {
    const found = findFaults(operations(more as Partial<Operations>));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(said);
  });

  it("is no relay that cannot be seen", () => {
    expect(findFaults(operations({ is_complete: false, processes: [process("worker")] }))).toEqual([]);
  });
});

describe("who cannot be seen", () => {
  it("is nobody where Redis tells of all", () => {
    expect(findUnseen(operations())).toEqual([]);
  });

  it("is the relay and other APIs where it does not, each with the reason", () => {
    const unseen = findUnseen(operations({ is_complete: false, processes: [process("api"), process("worker")] }));
    expect(unseen.map(({ who }) => who)).toEqual(["relay", "other API processes"]);
    for (const { why } of unseen) expect(why).toMatch(/^cannot be seen: .*Redis/);
  });
});

describe("processes", () => {
  it("say what they do", () => {
    expect(describeWork(process("relay", { leads: false }))).toBe("stands by");
    expect(describeWork(process("worker", { runs: 1200, steps_in_flight: 3 }))).toBe("1,200 runs in memory, 3 attempts");
    expect(describeWork(process("api", { streams: 1 }))).toBe("1 live stream");
    expect(describeWork(process("api"))).toBe("");
    expect(describeWork(process("worker", { steps_in_flight: 0 }))).toBe("its memory and runs cannot be read, 0 attempts");
  });
});
