import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import type { Opened } from "./browser.ts";
import { openAs, visitAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { allInTime } from "./pace.ts";
import { Owner, deliver } from "./product.ts";
import { takeShots } from "./shots.ts";
import { tryAgain } from "./states.ts";
import { readVitals, watchVitals } from "./vitals.ts";

const VIEWER = "dashboard-viewer@example.com";
const HOSTILE = "<img src=x onerror=alert(1)>";
const FAILURES = 15;
const STATS = "**/v1/stats?*";
// A run with pauses that its worker keeps in memory: long enough to be seen, however slow the machine is.
const PAUSES = ["a", "b", "c", "d"].map((id, place, all) => ({
  id,
  type: "delay",
  with: { seconds: 28 },
  after: place === 0 ? [] : [all[place - 1]],
}));

let browser: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.signIn();
  const good = await owner.publish("Good dashboards", [{ id: "greet", type: "transform", with: { values: {} } }]);
  const bad = await owner.publish("Bad dashboards", [{ id: "stop", type: "fail", with: { message: HOSTILE } }]);
  // So many that it is among the worst ten, whoever else fails on this product.
  await Promise.all([
    ...Array.from({ length: 5 }, () => owner.start(good)),
    ...Array.from({ length: FAILURES }, () => owner.start(bad)),
  ]);
  const { url } = await owner.post<{ url: string }>(`/v1/workflows/${good}/triggers`, {
    type: "webhook",
    config: { auth: "none", filter: "trigger.body.total > 0" },
  });
  for (const total of [10, 20, 20, 0]) await deliver(url, { total }, `order-${total}`);
  await owner.invite(VIEWER, "viewer");
  browser = await openAs({ path: "/" });
});
afterAll(() => browser.close());

test("the start page tells how the workspace does", async () => {
  const { page } = browser;
  const failing = page.getByRole("region", { name: "Failing workflows" });
  await failing.getByRole("listitem").filter({ hasText: "Bad dashboards" }).getByText(`${FAILURES} of ${FAILURES} failed`).waitFor();
  await failing.getByText(HOSTILE).waitFor();
  await page.getByRole("status", { name: "Health" }).getByText(/runs failed/).waitFor();
  await page.getByRole("region", { name: "Accounted events" }).locator('[data-drift="0"]').waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  expect(await page.locator("img").count()).toBe(0);
  await takeShots(page, "dashboard");
  await expectAccessibleInBothThemes(page);
});

test("every accepted event is accounted for, part by part", async () => {
  const { page } = browser;
  const tile = page.getByRole("region", { name: "Accounted events" });
  const figures = await tile.locator("dd").allInnerTexts();
  const [accepted, started, duplicate, filtered, pending] = figures.map((text) => Number(text.replaceAll(",", "")));
  expect(accepted).toBe((started ?? 0) + (duplicate ?? 0) + (filtered ?? 0) + (pending ?? 0));
  expect([(started ?? 0) >= 2, (duplicate ?? 0) >= 1, (filtered ?? 0) >= 1]).toEqual([true, true, true]);
  await tile.getByText("Every accepted event is accounted for.").waitFor();
  await tile.getByRole("link", { name: "were filtered out" }).click();
  await page.waitForURL(/\/events\?.*period=24h/);
  await page.getByRole("row").filter({ hasText: "Good dashboards" }).getByText("the filter leaves it out").waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
});

test("what failed leads to its runs", async () => {
  const { page } = browser;
  await page.getByRole("region", { name: "Failing workflows" }).getByRole("link", { name: "Bad dashboards" }).click();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.getByRole("row").filter({ hasText: "Bad dashboards" }).first().waitFor();
  expect(await page.getByRole("button", { name: "Failed" }).getAttribute("aria-pressed")).toBe("true");
  await page.goBack();
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
});

test("a run that begins elsewhere is running now, until it ends", async () => {
  const { page } = browser;
  const slow = await owner.publish("Slow dashboards", PAUSES);
  const id = await owner.start(slow);
  const row = page.getByRole("region", { name: "Running now" }).getByRole("listitem").filter({ hasText: "Slow dashboards" });
  await row.locator(`a[href="/runs/${id}"]`).waitFor();
  await owner.post(`/v1/runs/${id}/cancel`);
  await row.locator(`a[href="/runs/${id}"]`).waitFor({ state: "detached" });
});

test("the drawings are read by keys, and as tables", async () => {
  const { page } = browser;
  const runs = page.getByRole("slider", { name: "Runs over time" });
  await runs.focus();
  await page.keyboard.press("End");
  expect(await runs.getAttribute("aria-valuenow")).toBe("48");
  expect(await runs.getAttribute("aria-valuetext")).toMatch(/succeeded, .*failed/);
  await page.keyboard.press("ArrowLeft");
  expect(await runs.getAttribute("aria-valuenow")).toBe("47");
  const drawing = page.getByRole("region", { name: "Runs", exact: true });
  await drawing.getByText("As a table").click();
  await drawing.getByRole("columnheader", { name: "succeeded" }).waitFor();
  await page.getByRole("region", { name: "Duration", exact: true }).getByText("As a table").click();
  await page.getByRole("columnheader", { name: "p95" }).waitFor();
  await expectAccessible(page);
  await expectReflow(page);
});

test("the time is part of the address, and survives a reload", async () => {
  const { page } = browser;
  await page.getByLabel("Time", { exact: true }).selectOption("Last hour");
  await page.waitForURL("**/?window=1h");
  await page.reload();
  await page.getByRole("region", { name: "Accounted events" }).waitFor();
  expect(await page.getByLabel("Time", { exact: true }).inputValue()).toBe("1h");
  await page.getByLabel("Time", { exact: true }).selectOption("Last 24 hours");
  await page.waitForFunction(() => location.search === "");
});

test("without the stream, figures are asked for", async () => {
  const { page } = browser;
  await page.route("**/v1/stream", (route) => route.abort());
  await page.goto("/");
  await page.getByText("Live updates paused.").waitFor();
  const late = await owner.publish("Late dashboards", [{ id: "stop", type: "fail", with: { message: "no" } }]);
  await Promise.all(Array.from({ length: FAILURES }, () => owner.start(late)));
  await page.getByRole("region", { name: "Failing workflows" }).getByText("Late dashboards").waitFor();
  await page.unroute("**/v1/stream");
});

test("a slow answer is waited for in its place, and a broken one is told", async () => {
  const { page } = browser;
  let release = () => undefined as unknown;
  const gate = new Promise((done) => (release = () => done(undefined)));
  await page.route(STATS, async (route) => {
    await gate;
    await route.abort();
  });
  await page.goto("/");
  await page.getByRole("status", { name: "Loading" }).waitFor();
  await expectAccessible(page);
  release();
  await page.getByText("No connection").waitFor();
  await takeShots(page, "dashboard-error");
  await expectAccessible(page);
  await page.unroute(STATS);
  await tryAgain(page);
  await page.getByRole("region", { name: "Accounted events" }).waitFor();
});

test("on a small screen every page is at hand", async () => {
  const { page } = browser;
  await page.setViewportSize({ width: 320, height: 700 });
  await expectAccessible(page);
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: "Operations" }).click();
  await page.getByRole("heading", { name: "Operations", exact: true }).waitFor();
  await page.getByRole("link", { name: "Dashboard" }).click();
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("something is seen within a second, the rest soon after, and nothing moves or stands still", async () => {
  const { page } = browser;
  await watchVitals(page);
  // Not all that moves is a fault: the name of the workspace takes the place of a mark that stands for it.
  const still = 0.02;
  await allInTime({ firstPaint: 1000, largestPaint: 2000, blocked: 300 }, async () => {
    await page.goto("/");
    await page.getByRole("region", { name: "Accounted events" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    const vitals = await readVitals(page);
    expect(vitals.shift, "what had been seen moved").toBeLessThanOrEqual(still);
    return vitals;
  });
});

test("a viewer sees it too, and is led to nothing that is not theirs", async () => {
  await visitAs({ email: VIEWER, path: "/" }, async (page) => {
    await page.getByRole("region", { name: "Accounted events" }).waitFor();
    const rail = page.getByRole("navigation", { name: "Pages" });
    await rail.getByRole("link", { name: "Settings" }).waitFor();
    for (const name of ["API keys", "Audit log", "Operations"]) {
      expect(await rail.getByRole("link", { name }).count(), name).toBe(0);
    }
  });
});

test("every page behaved", () => browser.conduct.check());
