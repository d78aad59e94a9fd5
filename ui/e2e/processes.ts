import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { PATIENCE_MS, need } from "./browser.ts";

type Role = "api" | "redis";

/** What the product notes of its processes. */
function pidOf(role: Role): number {
  const noted = JSON.parse(readFileSync(need("E2E_RUN_FILE"), "utf8")) as Partial<Record<Role, { pid: number }>>;
  const pid = noted[role]?.pid;
  // To kill 0 is to kill the tests themselves, and whoever has started them.
  if (pid === undefined || pid <= 0) throw new Error(`the product notes no process of its own for ${role}`);
  return pid;
}

/** Whether a process is at work: one that was killed stays in the table until its parent has looked. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2)[0] !== "Z";
  } catch {
    return false;
  }
}

/** Do `work` while a process of the product is dead; it is started again only afterwards. */
export async function without(role: Role, work: () => Promise<unknown>): Promise<void> {
  const supervisor = Number(need("E2E_SUPERVISOR"));
  const pid = pidOf(role);
  // Who starts again what has died is held for as long as that.
  process.kill(supervisor, "SIGSTOP");
  try {
    process.kill(pid, "SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: PATIENCE_MS }).toBe(false);
    await work();
  } finally {
    process.kill(supervisor, "SIGCONT");
  }
}
