import { formatCountOf } from "@/lib/format";
import type { Operations, Process } from "./api";

/** So long, what waits is on its way; beyond, somebody should look. */
const PATIENCE_SECONDS = 30;

/** The names of what the API depends on, as people call them, how they are where all is well, and what to do else. */
export const DEPENDENCIES: Record<string, { label: string; fine: string; cure: string }> = {
  postgres: { label: "PostgreSQL", fine: "answers", cure: "Nothing goes on until it answers. See its log and FLOWFORGE_DATABASE_URL." },
  redis: { label: "Redis", fine: "answers", cure: "Runs go on by a sweep, more slowly. See its log and FLOWFORGE_REDIS_URL." },
  migrations: { label: "Migrations", fine: "are those of this version", cure: "Run ./flowforge migrate." },
};

/** What is wrong with the processes, each with what to do; nothing where all is well. */
export function findFaults({ processes, is_complete, queue, outbox, due }: Operations): string[] {
  const has = (role: string) => processes.some((process) => process.role === role);
  const isLate = (waiting: Operations["queue"]) => (waiting.oldest_seconds ?? 0) > PATIENCE_SECONDS;
  const found: string[] = [];
  const silent = processes.filter((process) => process.status === "silent");
  for (const { host, pid } of silent) {
    found.push(`The worker ${pid} at ${host} is silent. Others take over its runs; see its log.`);
  }
  if (!has("worker")) found.push("No worker lives: runs are accepted and wait. Start one with ./flowforge worker.");
  // Without Redis nobody but workers can be seen.
  if (is_complete && !has("relay")) found.push("No relay lives: events are not published. Start one with ./flowforge relay.");
  if (isLate(outbox)) found.push("The outbox does not empty: the relay is behind, or cannot reach Redis. See its log.");
  if (isLate(queue)) found.push("Runs wait for long: workers are full, or away. Start another one.");
  if (isLate(due)) found.push("Waits end late: no worker wakes suspended runs. See the logs of the workers.");
  return found;
}

/** Of whom nothing can be told at the moment, and why. */
export function findUnseen({ is_complete, processes }: Operations): { who: string; why: string }[] {
  if (is_complete) return [];
  const why = "cannot be seen: what it tells of itself goes through Redis, which does not answer.";
  const isThere = processes.some((process) => process.role === "relay");
  return [...(isThere ? [] : [{ who: "relay", why }]), { who: "other API processes", why: why.replace("it tells of itself", "they tell of themselves") }];
}

/** What there is to say of one process beside its name. */
export function describeWork({ role, runs, steps_in_flight, streams, leads }: Process): string {
  const parts: string[] = [];
  if (role === "relay" && leads !== null) parts.push(leads ? "publishes" : "stands by");
  if (runs !== null) parts.push(`${formatCountOf(runs, "run")} in memory`);
  else if (role === "worker") parts.push("its memory and runs cannot be read");
  if (steps_in_flight !== null) parts.push(formatCountOf(steps_in_flight, "attempt"));
  if (streams !== null) parts.push(formatCountOf(streams, "live stream"));
  return parts.join(", ");
}
