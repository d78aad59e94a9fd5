import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Opened } from "./browser.ts";
import { openAs } from "./doors.ts";
import { inTime, longestTask } from "./pace.ts";
import { Owner } from "./product.ts";

/** tests/ui/seeding.py has put them there. */
const WORKSPACE = "Warehouse";
const MANY = 10_000;
const MOST_ROWS = 60;
const STEPS = 2_000;
const COLUMNS = 50;
const OPENS_MS = 1_500;
const TASK_MS = 200;
/** Six of them, and the output has 5.4 MB. */
const LETTERS = 900_000;

let browser: Opened;
let runs: { deep: string; heavy: string };
let definition: string;
beforeAll(async () => {
  const owner = await Owner.into(WORKSPACE);
  const deep = await owner.publish(
    "Deep",
    Array.from({ length: STEPS }, (_, index) => ({
      id: `s${index}`,
      type: "transform",
      with: { values: { number: index } },
      ...(index < COLUMNS ? {} : { after: [`s${index - COLUMNS}`] }),
    })),
  );
  const parts = Object.fromEntries(["a", "b", "c", "d", "e", "f"].map((name) => [name, "{{ input.text }}"]));
  const heavy = await owner.publish("Heavy", [{ id: "copy", type: "transform", with: { values: parts } }]);
  definition = `/workflows/${deep}?tab=definition`;
  runs = { deep: await owner.start(deep), heavy: await owner.start(heavy, { text: "x".repeat(LETTERS) }) };
  browser = await openAs({ workspace: WORKSPACE, path: "/runs" });
});
afterAll(() => browser.close());

test("ten thousand runs are scrolled through with few rows in the page", async () => {
  const { page } = browser;
  await page.locator('[data-row="20"]').waitFor();
  const told = await page.evaluate(async (many) => {
    const table = () => Number(document.querySelector("[role=table]")?.getAttribute("aria-rowcount"));
    let most = 0;
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const isAtEnd = () => window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2;
    while (table() < many || !isAtEnd()) {
      window.scrollTo({ top: document.documentElement.scrollHeight });
      await frame();
      most = Math.max(most, document.querySelectorAll("[data-row]").length);
    }
    await frame();
    const last = [...document.querySelectorAll<HTMLElement>("[data-row]")].map((row) => Number(row.dataset["row"]));
    return { most, rows: table(), last: Math.max(...last) };
  }, MANY);
  expect(told.most).toBeGreaterThan(5);
  expect(told.most).toBeLessThanOrEqual(MOST_ROWS);
  expect(told.rows).toBeGreaterThanOrEqual(MANY);
  expect(told.last).toBeGreaterThanOrEqual(told.rows - 3);
});

test("a run of two thousand steps is soon opened", async () => {
  const { page } = browser;
  await page.goto(`/runs?q=${runs.deep}`);
  const link = page.locator(`a[href="/runs/${runs.deep}"]`);
  await page.getByRole("row").filter({ has: link }).getByText("Succeeded").waitFor();
  await inTime("opening a run of 2,000 steps", OPENS_MS, async () => {
    await link.waitFor();
    const took = await page.evaluate(async (address) => {
      const begin = performance.now();
      document.querySelector<HTMLElement>(`a[href="${address}"]`)?.click();
      while (document.querySelector("[data-path]") === null || document.querySelector("[data-step]") === null) {
        await new Promise((done) => requestAnimationFrame(done));
      }
      return performance.now() - begin;
    }, `/runs/${runs.deep}`);
    await page.goBack();
    return took;
  });
  await link.waitFor();
});

test("of two thousand steps, those that can be seen are in the page", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.deep}?step=s${STEPS - 1}`);
  await page.locator(`[data-path="s${STEPS - 1}"]`).waitFor();
  await page.locator(`[data-step="s${STEPS - 1}"]`).waitFor();
  expect(await page.locator("[data-path]").count()).toBeLessThanOrEqual(100);
  expect(await page.locator("[data-step]").count()).toBeLessThanOrEqual(120);
  await page.locator("#main").focus();
  await page.keyboard.press("/");
  await page.keyboard.type(`s${STEPS - 2}`);
  await page.waitForFunction(() => document.querySelectorAll("[data-path]").length === 1);
  await page.locator(`[data-path="s${STEPS - 2}"]`).click();
  await page.getByRole("heading", { name: `s${STEPS - 2}`, exact: true }).waitFor();
});

test("a definition of two thousand steps keeps to its field, and its lines to their numbers", async () => {
  const { page } = browser;
  await page.goto(definition);
  const field = page.getByLabel("Definition", { exact: true });
  await field.waitFor();
  // What is found stands below it, where one sees it.
  expect((await field.boundingBox())?.height).toBeLessThanOrEqual(900);
  await page.getByText("No faults: it can be published.").waitFor();
  const [end, ofNumbers] = await field.evaluate(async (area) => {
    area.scrollTop = area.scrollHeight;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return [area.scrollTop, area.previousElementSibling?.scrollTop];
  });
  expect(end).toBeGreaterThan(STEPS);
  expect(ofNumbers).toBe(end);
});

test("an output of five megabytes is looked at and saved without holding the page up", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.heavy}`);
  await page.locator("main").getByText("Succeeded", { exact: true }).first().waitFor();
  const output = page.getByRole("region", { name: "copy" }).getByRole("group", { name: "Output", exact: true });
  let saved = "";
  await inTime("the longest task while a large output is read", TASK_MS, () =>
    longestTask(page, async () => {
      await page.locator('[data-path="copy"]').click();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        output.getByRole("button", { name: "Download all" }).click(),
      ]);
      saved = await readFile(await download.path(), "utf8");
      await page.getByRole("button", { name: "Close the step" }).click();
    }),
  );
  const value = JSON.parse(saved) as Record<string, string>;
  expect(Object.values(value).map((text) => text.length)).toEqual(Array(6).fill(LETTERS));
});

test("every page behaved", () => browser.conduct.check());
