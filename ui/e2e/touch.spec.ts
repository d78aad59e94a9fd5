import type { Locator } from "playwright-core";
import { beforeAll, expect, test, vi } from "vitest";
import { expectAccessible } from "./axe.ts";
import { PATIENCE_MS } from "./browser.ts";
import { journeyTo } from "./journey.ts";

const journey = journeyTo({ workspace: "Fingers", path: "/", screen: { width: 390, height: 844, hasTouch: true } });
const say = (id: string, ...after: string[]) => ({ id, type: "transform", with: { values: { text: id } }, after });
const RUNS = 12;
/** A finger gets there in so many. */
const MOVES = 10;

let workflow: string;
let run: string;
beforeAll(async () => {
  const { owner, page } = journey;
  workflow = await owner.publish("Touched", [say("first"), say("second", "first"), say("third", "second"), say("fourth", "third")]);
  for (let count = 0; count < RUNS; count += 1) run = await owner.start(workflow);
  await untilItSucceeds(run);
  await page.goto("/");
});

async function untilItSucceeds(id: string): Promise<void> {
  const status = async () => (await journey.owner.get<{ status: string }>(`/v1/runs/${id}`)).status;
  await vi.waitUntil(async () => (await status()) === "succeeded", { timeout: PATIENCE_MS, interval: 100 });
}

/** Put a finger in the middle of something, move it by so many pixels, and lift it. */
async function swipe(from: Locator, by: { x?: number; y?: number }): Promise<void> {
  const { page } = journey;
  const box = await from.boundingBox();
  if (box === null) throw new Error("there is nothing to touch");
  const session = await page.context().newCDPSession(page);
  const middle = { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  // Whole gestures, as the browser makes them up by itself, reach the page and scroll nothing.
  for (let move = 0; move <= MOVES; move += 1) {
    const part = move / MOVES;
    const point = { x: middle.x + (by.x ?? 0) * part, y: middle.y + (by.y ?? 0) * part };
    await session.send("Input.dispatchTouchEvent", { type: move === 0 ? "touchStart" : "touchMove", touchPoints: [point] });
  }
  await session.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  await session.detach();
}

/** How far the page is scrolled. */
function scrolled(): Promise<number> {
  return journey.page.evaluate(() => window.scrollY);
}

/** Bring something into sight; how far the page is scrolled then. */
async function reach(place: Locator): Promise<number> {
  await place.scrollIntoViewIfNeeded();
  return scrolled();
}

/** Where a step of the graph is drawn, from the left. */
async function leftOf(step: string): Promise<number> {
  return (await journey.page.locator(`[data-step="${step}"]`).boundingBox())?.x ?? Number.NaN;
}

test("a finger reads a drawing of the dashboard, and scrolls the page over it", async () => {
  const { page } = journey;
  const drawing = page.getByRole("slider", { name: "Duration over time" });
  const read = () => drawing.getAttribute("aria-valuenow").then(Number);
  await drawing.tap({ position: { x: 40, y: 40 } });
  await expect.poll(read, { timeout: PATIENCE_MS }).toBeLessThan(10);
  const told = page.getByRole("region", { name: "Duration", exact: true });
  // It stays to be read once the finger is lifted.
  await told.getByText(/ to .*p50.*p95/).first().waitFor();
  await swipe(drawing, { x: 120 });
  await expect.poll(read, { timeout: PATIENCE_MS }).toBeGreaterThan(35);
  const before = await reach(drawing);
  await swipe(drawing, { y: -150 });
  await expect.poll(scrolled, { timeout: PATIENCE_MS }).toBeGreaterThan(before + 100);
});

test("a tap on a part of the drawing of runs leads to those of its time", async () => {
  const { page } = journey;
  await page.getByRole("slider", { name: "Runs over time" }).tap({ position: { x: 100, y: 70 } });
  await page.waitForURL(/\/runs\?from=.*to=/);
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
});

test("menus are opened, used and left by taps", async () => {
  const { page } = journey;
  const choose = async (name: string) => {
    await page.getByRole("button", { name: "View and keys" }).tap();
    await page.getByRole("menuitemradio", { name, exact: true }).tap();
  };
  await choose("Dark");
  await page.locator('html[data-theme="dark"]').waitFor({ state: "attached" });
  await choose("As the system");
  await page.locator("html:not([data-theme])").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "View and keys" }).tap();
  await page.getByRole("menu").waitFor();
  await page.getByRole("heading", { name: "Runs", exact: true }).tap({ position: { x: 8, y: 8 } });
  await page.getByRole("menu").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "More", exact: true }).tap();
  await page.getByRole("menuitem", { name: "Events" }).tap();
  await page.getByRole("heading", { name: "Inbound events", exact: true }).waitFor();
  await page.getByRole("button", { name: /^Go to/ }).tap();
  await page.getByRole("option", { name: "Workflows", exact: true }).tap();
  await page.getByRole("heading", { name: "Workflows", exact: true }).waitFor();
});

test("a dialog is answered and left by taps", async () => {
  const { page } = journey;
  const remove = async () => {
    await page.getByRole("button", { name: "Actions for Touched" }).tap();
    await page.getByRole("menuitem", { name: "Delete" }).tap();
    await page.getByRole("dialog", { name: "Delete Touched?" }).waitFor();
  };
  await remove();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Keep it" }).tap();
  await journey.dialog().waitFor({ state: "detached" });
  await remove();
  // Beside it.
  await page.touchscreen.tap(195, 60);
  await journey.dialog().waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Touched", exact: true }).waitFor();
});

test("rows of the list of runs are opened and selected by taps, and swiped through", async () => {
  const { page } = journey;
  await page.getByRole("link", { name: "Runs", exact: true }).tap();
  await page.locator(`[data-row="${RUNS - 1}"]`).waitFor();
  const fifth = page.locator('[data-row="4"]');
  const before = await reach(fifth);
  await swipe(fifth, { y: -200 });
  await expect.poll(scrolled, { timeout: PATIENCE_MS }).toBeGreaterThan(before + 100);
  const box = page.locator('[data-row="5"]').getByRole("checkbox");
  await box.tap();
  expect(await box.isChecked()).toBe(true);
  await box.tap();
  expect(await box.isChecked()).toBe(false);
  await page.locator(`a[href="/runs/${run}"]`).tap();
  await page.getByRole("heading", { name: "Touched", exact: true }).waitFor();
});

test("a tap on a step chooses it, in the graph and in the list", async () => {
  const { page } = journey;
  const told = (name: string) => page.getByRole("heading", { name, exact: true, level: 2 });
  await page.locator('[data-step="first"]').tap();
  await told("first").waitFor();
  await page.waitForURL(/[?&]step=first/);
  await page.locator('[data-path="third"]').tap();
  await told("third").waitFor();
  await page.getByRole("button", { name: "Close the step" }).tap();
  await told("third").waitFor({ state: "detached" });
});

test("a swipe over the graph moves it and chooses nothing, and one beside it moves the page", async () => {
  const { page } = journey;
  const graph = page.locator("[data-graph]");
  const at = await reach(graph);
  const before = await leftOf("third");
  await swipe(graph, { x: -100, y: -40 });
  await expect.poll(() => leftOf("third"), { timeout: PATIENCE_MS }).toBeLessThan(before - 60);
  expect([await scrolled(), new URL(page.url()).search]).toEqual([at, ""]);
  const beside = page.getByRole("heading", { name: "The whole run" });
  const below = await reach(beside);
  await swipe(beside, { y: 150 });
  await expect.poll(scrolled, { timeout: PATIENCE_MS }).toBeLessThan(below - 100);
  await page.getByRole("button", { name: "Fit" }).tap();
  await page.locator('[data-step="fourth"]').waitFor();
});

test("a form is filled in and sent by taps", async () => {
  const { page } = journey;
  await page.getByRole("button", { name: "Rerun", exact: true }).tap();
  await journey.dialog().getByLabel("With other input").tap();
  await journey.dialog().getByLabel("Input", { exact: true }).fill('{"by": "finger"}');
  await page.getByRole("button", { name: "Start the new run" }).tap();
  await page.getByRole("link", { name: "The run that this repeats" }).tap();
  await page.waitForURL(`**/runs/${run}`);
});

test("live updates that a tap has paused stay so where the tab is loaded anew, until another tap", async () => {
  const { page, owner } = journey;
  await page.goto("/runs");
  await page.getByRole("button", { name: /^Live ?, pause live updates$/ }).tap();
  await page.reload();
  await page.getByText("You have paused live updates").waitFor();
  await page.locator(`a[href="/runs/${run}"]`).waitFor();
  const late = await owner.start(workflow);
  await untilItSucceeds(late);
  expect(await page.locator(`a[href="/runs/${late}"]`).count()).toBe(0);
  await page.getByRole("button", { name: "Resume" }).tap();
  await page.locator(`a[href="/runs/${late}"]`).waitFor();
});

test("every page behaved", () => journey.browser.conduct.check());
