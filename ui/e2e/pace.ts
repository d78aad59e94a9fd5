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

/** How long each frame of the page took while `work` went on, in milliseconds. */
export async function framesWhile(page: Page, work: () => Promise<unknown>): Promise<number[]> {
  await page.evaluate(() => {
    const frames: number[] = [];
    let isOver = false;
    const note = (before: number) =>
      requestAnimationFrame((now) => {
        if (isOver) return;
        frames.push(now - before);
        note(now);
      });
    requestAnimationFrame(note);
    const endFrames = () => {
      isOver = true;
      return frames;
    };
    Object.assign(window, { endFrames });
  });
  await work();
  return page.evaluate(() => (window as unknown as { endFrames: () => number[] }).endFrames());
}

/** How long the page's main thread was at work while `work` went on, in milliseconds. */
export async function workWhile(page: Page, work: () => Promise<unknown>): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const seconds = async () => (await session.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  const before = await seconds();
  await work();
  const after = await seconds();
  await session.detach();
  return (after - before) * 1000;
}

/** So much that a `share` of the values is no more than it. */
export function percentile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.ceil(values.length * share) - 1] ?? Number.NaN;
}
