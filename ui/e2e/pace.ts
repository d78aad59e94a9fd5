import { cpus, loadavg } from "node:os";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const TRIES = 5;

/** So long on a machine that has nothing else to do; as many times longer as programs wait for a processor. */
function onThisMachine(milliseconds: number): number {
  return milliseconds * Math.max(1, (loadavg()[0] ?? 0) / cpus().length);
}

/** At least once in a few tries, `measure` gives no more than `bound`: what others held up says nothing about the page. */
export async function inTime(what: string, bound: number, measure: () => Promise<number>): Promise<void> {
  await allInTime({ [what]: bound }, async () => ({ [what]: await measure() }));
}

/** At least once in a few tries, `measure` gives no more than its bound for any of these. */
export async function allInTime<Name extends string>(
  bounds: Readonly<Record<Name, number>>,
  measure: () => Promise<Readonly<Record<NoInfer<Name>, number>>>,
): Promise<void> {
  const measured: Readonly<Record<Name, number>>[] = [];
  while (measured.length < TRIES) {
    const found = await measure();
    measured.push(found);
    if ((Object.keys(bounds) as Name[]).every((name) => found[name] <= onThisMachine(bounds[name]))) return;
  }
  expect(measured, `never within ${JSON.stringify(bounds)} ms`).toEqual([]);
}

/** The longest that the page was busy with one thing while `work` went on, in milliseconds; 0 below 50. */
export async function longestTask(page: Page, work: () => Promise<unknown>): Promise<number> {
  await page.evaluate(() => {
    const told = window as unknown as { tasks: number[]; observer?: PerformanceObserver };
    told.tasks = [];
    told.observer?.disconnect();
    told.observer = new PerformanceObserver((list) => told.tasks.push(...list.getEntries().map((entry) => entry.duration)));
    told.observer.observe({ entryTypes: ["longtask"] });
  });
  await work();
  return page.evaluate(() => {
    const told = window as unknown as { tasks: number[]; observer: PerformanceObserver };
    told.tasks.push(...told.observer.takeRecords().map((entry) => entry.duration));
    return Math.max(0, ...told.tasks);
  });
}
