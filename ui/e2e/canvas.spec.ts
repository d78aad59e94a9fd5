import { beforeAll, expect, test, vi } from "vitest";
import { PATIENCE_MS } from "./browser.ts";
import { journeyTo } from "./journey.ts";
import { allInTime, framesWhile, inTime, percentile, workWhile } from "./pace.ts";

const STEPS = 1_000;
const BURST = 50;
/** As many as can all be in sight, as small as steps are drawn. */
const ROWS = 28;
const MOVES = 60;
const MOVE_PIXELS = 8;
/** To look is work as well: what is waited for is not looked for more often. */
const LOOK_MS = 500;

/**
 * What is aimed at, in milliseconds, and what is held to: the machine of these tests has but two processors, on which the product, the
 * tests and the drawing itself (there is no graphics card) are at work.
 */
const FRAME = { goal: 20, bound: 34 };
const WORK = { goal: 15, bound: 30 };
/** 20 frames a second are aimed at, and 8 held to. */
const FAR_FRAME = { goal: 50, bound: 125 };
const BURST_FRAME = { goal: 50, bound: 200 };

const journey = journeyTo({ workspace: "Canvas", path: "/runs" });
const say = (id: string, ...after: string[]) => ({ id, type: "transform", with: { values: { id } }, after });
const OTHERS = STEPS - BURST - 1;

let workflow: string;
let run: string;
beforeAll(async () => {
  const { owner } = journey;
  workflow = await owner.publish("Wide", [
    { id: "go", type: "wait", with: { signal: "go" } },
    ...Array.from({ length: OTHERS }, (_, index) => say(`s${index}`, ...(index < ROWS ? [] : [`s${index - ROWS}`]))),
    // All over the graph, and all at once: what else they wait for has long been done.
    ...Array.from({ length: BURST }, (_, index) => say(`b${index}`, "go", `s${Math.floor((index * OTHERS) / BURST)}`)),
  ]);
  run = await startUntilItWaits();
});

/** A run that has done all but what waits for the signal. */
async function startUntilItWaits(): Promise<string> {
  const { owner } = journey;
  const id = await owner.start(workflow);
  const status = async () => (await owner.get<{ status: string }>(`/v1/runs/${id}`)).status;
  await vi.waitUntil(async () => (await status()) === "waiting", { timeout: PATIENCE_MS, interval: LOOK_MS });
  return id;
}

/** Open a run with that step in the middle of the graph. */
async function open(id: string, step: string): Promise<void> {
  await journey.page.goto(`/runs/${id}?step=${step}`);
  await journey.page.locator(`[data-step="${step}"]`).waitFor();
}

/** See all steps at once. */
async function fit(): Promise<void> {
  await journey.page.getByRole("button", { name: "Fit", exact: true }).click();
  await expect.poll(() => journey.page.locator("[data-step]").count(), { timeout: PATIENCE_MS }).toBe(STEPS);
}

/** Drag the graph to the left and back; it moves. */
async function drag(): Promise<void> {
  const { page } = journey;
  const box = await page.locator("[data-graph]").boundingBox();
  if (box === null) throw new Error("there is no graph");
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  await page.mouse.move(middle.x, middle.y);
  const place = () => page.locator(".react-flow__viewport").getAttribute("style");
  const before = await place();
  await page.mouse.down();
  for (let move = 1; move <= MOVES; move += 1) {
    await page.mouse.move(middle.x - MOVE_PIXELS * Math.min(move, MOVES - move), middle.y);
    if (move === MOVES / 2) expect(await place()).not.toBe(before);
  }
  await page.mouse.up();
}

test("a graph of a thousand steps follows the pointer frame by frame", async () => {
  const { page } = journey;
  await open(run, "s500");
  expect(await page.locator("[data-step]").count()).toBeLessThanOrEqual(120);
  await allInTime({ frame: FRAME.bound, work: WORK.bound }, async () => {
    let frames: number[] = [];
    const work = await workWhile(page, async () => {
      frames = await framesWhile(page, drag);
    });
    return { frame: percentile(frames, 0.95), work: work / MOVES };
  });
});

test("seen as a whole, it follows as well", async () => {
  const { page } = journey;
  await fit();
  await inTime("a frame while all steps are moved", FAR_FRAME.bound, async () => {
    const frames = await framesWhile(page, drag);
    return frames.reduce((sum, frame) => sum + frame, 0) / frames.length;
  });
});

test("fifty steps that end at once hold no frame up for long", async () => {
  const { page, owner } = journey;
  await inTime("the longest frame while fifty steps end", BURST_FRAME.bound, async () => {
    const id = await startUntilItWaits();
    await open(id, "go");
    const ended = page.locator('[data-step^="b"]').getByText("succeeded", { exact: true });
    await fit();
    const frames = await framesWhile(page, async () => {
      await owner.post(`/v1/runs/${id}/signal`, { name: "go", payload: {} });
      await expect.poll(() => ended.count(), { timeout: PATIENCE_MS, interval: LOOK_MS }).toBe(BURST);
    });
    return frames.length === 0 ? Number.NaN : Math.max(...frames);
  });
});

test("every page behaved", () => journey.browser.conduct.check());
