import { type Browser, chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** Kept where everything in this process finds it, however often a module is loaded. */
const kept = globalThis as { chromiumOfJourneys?: Promise<Browser> };

/** The one browser of all journeys of a process: to start one takes longer than many a journey's first page. */
export async function theChromium(program: string, timeout: number): Promise<Browser> {
  const open = await kept.chromiumOfJourneys?.catch(() => undefined);
  // What one journey has brought down is no fault of the next one.
  if (open?.isConnected() === true) return open;
  kept.chromiumOfJourneys = chromium.launch({ executablePath: program, args: FLAGS, headless: true, timeout });
  return kept.chromiumOfJourneys;
}

/** Close it, where one was started. */
export async function closeChromium(): Promise<void> {
  const open = await kept.chromiumOfJourneys?.catch(() => undefined);
  await open?.close();
}
