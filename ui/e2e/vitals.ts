import type { Page } from "playwright-core";

/** What a browser tells of how a page came. Times are in milliseconds since it was asked for. */
export interface Vitals {
  /** When anything was seen first. */
  firstPaint: number;
  /** When the largest part of what is seen first was there. */
  largestPaint: number;
  /** For how long it was busy with one thing beyond 50 ms, all in all: so long it answers nobody. */
  blocked: number;
  /** By how much what had been seen moved, as a share of the window: all moves together. */
  shift: number;
}

interface Shift extends PerformanceEntry {
  value: number;
  hadRecentInput: boolean;
}

/** Have every page that is opened from now on watched from its very beginning. */
export async function watchVitals(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const told: PerformanceEntry[] = [];
    Object.assign(window, { told });
    for (const type of ["paint", "largest-contentful-paint", "layout-shift", "longtask"]) {
      new PerformanceObserver((list) => told.push(...list.getEntries())).observe({ type, buffered: true });
    }
  });
}

/** How the page came that is shown, up to now. */
export async function readVitals(page: Page): Promise<Vitals> {
  // Two frames: what is drawn by now is told of by then.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  return page.evaluate(() => {
    const { told } = window as unknown as { told: PerformanceEntry[] };
    const of = (type: string) => told.filter((entry) => entry.entryType === type);
    const moves = of("layout-shift") as Shift[];
    return {
      firstPaint: of("paint").find((entry) => entry.name === "first-contentful-paint")?.startTime ?? Number.POSITIVE_INFINITY,
      largestPaint: of("largest-contentful-paint").at(-1)?.startTime ?? Number.POSITIVE_INFINITY,
      blocked: of("longtask").reduce((sum, { duration }) => sum + Math.max(0, duration - 50), 0),
      shift: moves.reduce((sum, { value, hadRecentInput }) => sum + (hadRecentInput ? 0 : value), 0),
    };
  });
}
