import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

const WORKSPACE = "Views";
/** They are for whoever looks at the app, whatever their role is. */
const VIEWER = "view-viewer@example.com";
const RUNS = 3;
const HERE = { zone: "Asia/Kolkata", ahead_ms: 330 * 60_000 };

let browser: Opened;
let run: string;
beforeAll(async () => {
  const owner = await Owner.inWorkspace(WORKSPACE);
  await owner.invite(VIEWER, "viewer");
  const step = (id: string, after: string[] = []) => ({ id, type: "transform", with: { values: {} }, after });
  const workflow = await owner.publish("Watched", [step("first"), step("second", ["first"])]);
  for (let count = 0; count < RUNS; count += 1) run = await owner.start(workflow);
  browser = await openAs({ email: VIEWER, workspace: WORKSPACE, path: "/settings", zone: HERE.zone });
});
afterAll(() => browser.close());

const view = () => browser.page.getByRole("region", { name: "Your view" });
const rows = () => browser.page.locator("[data-row]");

/** Open the list of runs, with all of them in it. */
async function openRuns(page: Page, search = ""): Promise<void> {
  await page.goto(`/runs${search}`);
  await expect.poll(() => rows().getByText("Succeeded").count(), { timeout: PATIENCE_MS }).toBe(RUNS);
}

/** What the times in a place say, beside what they are. */
function readTimes(place: Locator): Promise<{ at: string; text: string; title: string }[]> {
  return place.locator("time").evaluateAll((times) =>
    times.map((time) => ({ at: (time as HTMLTimeElement).dateTime, text: time.textContent ?? "", title: (time as HTMLElement).title })),
  );
}

/** Choose how times are told, at the top of any page. */
async function chooseTimes(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name: "View and keys" }).click();
  await page.getByRole("menuitemradio", { name, exact: true }).click();
}

test("everybody finds their view in the settings, and changes it by keyboard", async () => {
  const { page } = browser;
  await view().getByText(/^By the clock of this machine, Asia\/(Kolkata|Calcutta)/).waitFor();
  await takeShots(page, "settings-view");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await view().getByLabel("Times").press("ArrowDown");
  await view().getByText("Each is marked as UTC").waitFor();
  await page.getByRole("region", { name: "Limits" }).getByText("FLOWFORGE_HOOK_MAX_BODY").waitFor();
});

test("times are told in UTC wherever they stand, and by the clocks here as soon as those are chosen", async () => {
  const { page } = browser;
  await openRuns(page);
  for (const { at, text, title } of await readTimes(rows())) {
    expect(text).toMatch(new RegExp(`${at.slice(11, 19)} UTC$`));
    expect(title).toMatch(/ UTC$/);
  }
  await chooseTimes(page, "As clocks tell them here");
  const times = await readTimes(rows());
  expect(times).toHaveLength(RUNS);
  for (const { at, text } of times) {
    expect(text).toMatch(new RegExp(`${new Date(Date.parse(at) + HERE.ahead_ms).toISOString().slice(11, 19)}$`));
  }
  await chooseTimes(page, "UTC");
  await page.goto(`/runs/${run}`);
  await page.locator("summary", { hasText: "Events" }).click();
  await page.getByRole("list", { name: "Events" }).getByText("run.succeeded").waitFor();
  const told = await readTimes(page.locator("main"));
  expect(told.length).toBeGreaterThan(3);
  expect(told.filter(({ title }) => !title.endsWith(" UTC"))).toEqual([]);
  expect(told.filter(({ at, text }) => !text.endsWith(`${at.slice(11, 19)} UTC`))).toEqual([]);
  await page.goto("/");
  await page.getByRole("slider", { name: "Runs over time" }).press("End");
  await page.locator('[aria-valuetext*="UTC to"]').waitFor();
});

test("a filter by moments means what is typed by the clocks that are chosen", async () => {
  const { page } = browser;
  await openRuns(page);
  await page.getByLabel("Time", { exact: true }).selectOption({ label: "Between…" });
  await page.getByLabel("from (UTC)").fill("2026-01-02T03:04");
  await page.waitForURL(/from=[^&]*2026-01-02T03(%3A|:)04/);
  await expectAccessible(page);
  await chooseTimes(page, "As clocks tell them here");
  expect(await page.getByLabel("from", { exact: true }).inputValue()).toBe("2026-01-02T08:34");
  await chooseTimes(page, "UTC");
});

test("rows are lower where that is chosen, and nothing is cut off in them", async () => {
  const { page } = browser;
  const heights = (row: Locator) => row.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height));
  const expectRows = async (pixels: number) => {
    await openRuns(page);
    expect(await heights(rows())).toEqual(Array(RUNS).fill(pixels));
    await page.goto("/workflows");
    await page.getByRole("link", { name: "Watched" }).waitFor();
    expect(await heights(page.locator("tbody tr"))).toEqual([pixels]);
    await page.goto(`/runs/${run}`);
    await page.locator("[data-path]").nth(1).waitFor();
    expect(await heights(page.locator("[data-path]"))).toEqual([pixels, pixels]);
  };
  await expectRows(40);
  await page.goto("/settings");
  await view().getByLabel("Rows of lists").selectOption({ label: "Compact" });
  await expectRows(32);
  await openRuns(page);
  await takeShots(page, "runs-compact");
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 700 });
  await expect.poll(async () => (await heights(rows()))[0], { timeout: PATIENCE_MS }).toBeGreaterThan(60);
  expect(await rows().evaluateAll((all) => all.filter((row) => row.scrollHeight > row.clientHeight).length)).toBe(0);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("single keys do nothing where they are switched off, the key of the help neither; keys with Ctrl do", async () => {
  const { page } = browser;
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await page.goto("/settings");
  await view().getByLabel("Single keys act on pages").uncheck();
  await openRuns(page);
  await page.locator("#main").focus();
  for (const key of ["j", "x", "?", "/"]) await page.keyboard.press(key);
  expect(await page.locator("#main").evaluate((main) => main === document.activeElement)).toBe(true);
  // Keys are heard one after the other: once this one is, all before it were.
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog", { name: "Go to" }).waitFor();
  expect(await help.count()).toBe(0);
  await page.getByLabel("Page, workflow or run").fill("keyboard");
  await page.keyboard.press("Enter");
  await help.getByText("Letters and signs are switched off, ? as well.").waitFor();
  expect(await help.getByText("Next run").count()).toBe(0);
  await expectAccessible(page);
  // A finger finds it.
  const { height = 0 } = (await help.getByText("Single keys act on pages").boundingBox()) ?? {};
  expect(height).toBeGreaterThanOrEqual(24);
  await help.getByLabel("Single keys act on pages").check();
  await help.getByText("Next run").waitFor();
  await help.getByRole("link", { name: "in the settings" }).click();
  await view().getByLabel("Single keys act on pages").and(page.locator(":checked")).waitFor();
  await openRuns(page);
  await page.locator("#main").focus();
  await page.keyboard.press("j");
  await page.locator('[data-row="0"] a:focus').waitFor();
});

test("the choices are kept by the browser, and hold in its other tabs at once", async () => {
  const { page, context } = browser;
  await page.goto("/settings");
  await view().getByText("Each is marked as UTC").waitFor();
  const other = await context.newPage();
  await other.goto("/runs");
  await other.locator('[data-row="0"]').getByText(/ UTC$/).waitFor();
  await view().getByLabel("Times").selectOption({ label: "As clocks tell them here" });
  await view().getByLabel("Rows of lists").selectOption({ label: "Comfortable" });
  await other.locator('[data-row="0"]').getByText(/\d\d:\d\d:\d\d$/).waitFor();
  await other.waitForFunction(() => document.querySelector("[data-row]")?.getBoundingClientRect().height === 40);
  await other.close();
});

const COUNTS = "**/v1/runs/counts*";
const STATUSES = ["queued", "running", "waiting", "succeeded", "failed", "cancelled", "timed_out"];

/** Have very many runs counted of each status, once what this gives is called. */
async function tellVeryMany(page: Page): Promise<() => void> {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const by_status = Object.fromEntries(STATUSES.map((status) => [status, 50_000]));
  await page.route(COUNTS, async (route) => {
    await held;
    await route.fulfill({ json: { by_status, since: "2026-11-27T12:00:00Z" } });
  });
  return release;
}

/** Where the statuses stand among each other is where they stood before their counts came. */
async function expectStill(page: Page, release: () => void): Promise<void> {
  await page.goto("/runs");
  const group = page.getByRole("group", { name: "Status", exact: true });
  await page.locator('[data-row="0"]').waitFor();
  const places = () =>
    group.evaluate(async (element) => {
      await document.fonts.ready;
      const { top } = element.getBoundingClientRect();
      return [...element.children].map((chip) => {
        const { x, y, width } = chip.getBoundingClientRect();
        return { x, y: y - top, width };
      });
    });
  const before = await places();
  expect(await group.innerText()).not.toContain("50,000");
  release();
  await group.getByText("50,000+").nth(STATUSES.length - 1).waitFor();
  expect(await places()).toEqual(before);
  // Nor does one when its neighbour is chosen, in bold letters.
  for (const name of [/^Running/, /^Timed out/]) {
    await group.getByRole("button", { name }).click();
    await group.getByRole("button", { name, pressed: true }).waitFor();
    expect(await places()).toEqual(before);
    await group.getByRole("button", { name }).click();
    await group.getByRole("button", { name, pressed: false }).waitFor();
  }
}

test("counts of very many have their room before they come, so that no status moves", async () => {
  const { page } = browser;
  const release = await tellVeryMany(page);
  await page.setViewportSize({ width: 390, height: 700 });
  try {
    await expectStill(page, release);
    await expectReflow(page);
    await takeShots(page, "runs-very-many");
  } finally {
    release();
    await page.unroute(COUNTS);
    await page.setViewportSize({ width: 1440, height: 900 });
  }
});

test("every page behaved", () => browser.conduct.check());
