import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import type { Opened } from "./browser.ts";
import { enter, openAs, visitAs } from "./doors.ts";
import { expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const MANY = 60;
const IDLE = "Nothing runs here";
const VIEWER = "runs-viewer@example.com";
/** More than the connections that a browser has to one server. */
const TABS = 7;

let browser: Opened;
let owner: Owner;
let steady: string;
let broken: string;
beforeAll(async () => {
  owner = await Owner.signIn();
  steady = await owner.publish("Steady", [{ id: "greet", type: "transform", with: { values: { text: "hello" } } }]);
  broken = await owner.publish("Broken", [{ id: "stop", type: "fail", with: { message: "The card was declined" } }]);
  const waiting = await owner.publish("Patient", [{ id: "wait", type: "wait", with: { signal: "go" } }]);
  await Promise.all(Array.from({ length: MANY }, () => owner.start(steady)));
  await owner.start(broken);
  await owner.start(waiting);
  browser = await openAs({ path: "/runs" });
});
afterAll(() => browser.close());

test("runs are listed with their status in words, shape and colour", async () => {
  const { page } = browser;
  const row = page.getByRole("row").filter({ hasText: "Broken" });
  await row.getByText("Failed").waitFor();
  await row.getByText("The card was declined").waitFor();
  await page.getByRole("row").filter({ hasText: "Patient" }).getByText("Waiting").waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await takeShots(page, "runs");
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "light" });
  await expectReflow(page);
});

test("a run that begins elsewhere comes in at the top by itself", async () => {
  const { page } = browser;
  const id = await owner.start(broken);
  await page.locator(`[data-row="0"] a[href="/runs/${id}"]`).waitFor();
  await page.locator('[data-row="0"]').getByText("Failed").waitFor();
});

test("further down, new runs are counted and nothing moves", async () => {
  const { page } = browser;
  // By script, at once: a wheel's way is still going on when one measures.
  await page.evaluate(() => window.scrollTo({ top: 900 }));
  const middle = page.locator('[data-row="24"] a');
  await middle.waitFor();
  const [href, before] = [await middle.getAttribute("href"), await middle.boundingBox()];
  const id = await owner.start(steady);
  await page.getByRole("button", { name: "1 new run" }).waitFor();
  expect((await page.locator(`a[href="${href}"]`).boundingBox())?.y).toBe(before?.y);
  await takeShots(page, "runs-news");
  await page.getByRole("button", { name: /new run/ }).click();
  await page.locator(`[data-row="0"] a[href="/runs/${id}"]`).waitFor();
});

test("of many rows, those that can be seen are in the page", async () => {
  const { page } = browser;
  expect(await page.locator("[data-row]").count()).toBeLessThanOrEqual(60);
  expect(Number(await page.getByRole("table").getAttribute("aria-rowcount"))).toBeGreaterThan(MANY);
});

test("filters are part of the address and survive a reload", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Failed" }).click();
  await page.getByRole("row").filter({ hasText: "Steady" }).first().waitFor({ state: "detached" });
  await page.getByRole("row").filter({ hasText: "Broken" }).first().waitFor();
  await page.reload();
  await page.getByRole("row").filter({ hasText: "Broken" }).first().waitFor();
  expect(await page.getByRole("button", { name: "Failed" }).getAttribute("aria-pressed")).toBe("true");
  await page.getByLabel("Search id, workflow or error").fill("no such run");
  await page.getByText("No runs match").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Clear filters" }).first().click();
  await page.getByRole("row").filter({ hasText: "Steady" }).first().waitFor();
  expect(await page.getByLabel("Search id, workflow or error").inputValue()).toBe("");
  expect(new URL(page.url()).search).toBe("");
});

test("keys lead from run to run, and into one", async () => {
  const { page } = browser;
  await page.locator("#main").focus();
  await page.keyboard.press("j");
  await page.locator('[data-row="0"] a:focus').waitFor();
  await page.keyboard.press("j");
  await page.locator('[data-row="1"] a:focus').waitFor();
  await page.keyboard.press("k");
  await page.locator('[data-row="0"] a:focus').waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
  await page.locator("#main:focus").waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.locator("#main:focus").waitFor();
  await page.locator("[aria-live]").getByText("Runs", { exact: true }).waitFor({ state: "attached" });
});

test("keys lead to no run behind the bars at the top and at the bottom", async () => {
  const { page } = browser;
  await page.setViewportSize({ width: 390, height: 700 });
  await page.goto("/runs");
  const isSeen = () => {
    const link = document.activeElement;
    const { left, top, bottom } = link?.getBoundingClientRect() ?? new DOMRect();
    return [top + 1, bottom - 1].every((y) => link?.contains(document.elementFromPoint(left + 2, y)) === true);
  };
  const row = (index: number) => page.locator(`[data-row="${index}"] a`);
  await row(8).focus();
  // Just above the bar at the bottom, so that the next one is behind it; then just below the one at the top.
  await row(8).evaluate((link) => window.scrollBy(0, link.getBoundingClientRect().bottom - (window.innerHeight - 60)));
  await page.keyboard.press("j");
  await row(9).and(page.locator(":focus")).waitFor();
  await page.waitForFunction(isSeen);
  await row(9).evaluate((link) => window.scrollBy(0, link.getBoundingClientRect().top - 50));
  await page.keyboard.press("k");
  await row(8).and(page.locator(":focus")).waitFor();
  await page.waitForFunction(isSeen);
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("keys lead from a run to the next one of the list that one came from", async () => {
  const { page } = browser;
  await page.goto(`/runs?workflow=${steady}`);
  await page.locator('[data-row="1"]').waitFor();
  const [first, second] = await page.locator("[data-row] a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  await page.locator('[data-row="0"] a').click();
  await page.waitForURL(`**${first}`);
  await page.getByRole("heading", { name: "Steady", exact: true }).waitFor();
  await page.keyboard.press("j");
  await page.waitForURL(`**${second}`);
  await page.getByRole("heading", { name: "Steady", exact: true }).waitFor();
  await page.keyboard.press("k");
  await page.waitForURL(`**${first}`);
  await page.goBack();
  await page.waitForURL(`**/runs?workflow=${steady}`);
});

test("a run that does not exist says so", async () => {
  const { page } = browser;
  await page.goto("/runs/01a21a4f-3d41-7000-8000-000000000001");
  await page.getByText("Not found").waitFor();
  await expectAccessible(page);
});

test("a broken connection is told, and is mended by itself or at once", async () => {
  const { page } = browser;
  await page.route("**/v1/stream", (route) => route.abort());
  await page.goto("/runs");
  await page.getByText("Live updates paused.").waitFor();
  await takeShots(page, "runs-paused");
  await expectAccessible(page);
  // Nothing is streamed: the list asks by itself.
  const id = await owner.start(broken);
  await page.locator(`[data-row="0"] a[href="/runs/${id}"]`).waitFor();
  await page.unroute("**/v1/stream");
  await page.getByRole("button", { name: "Try now" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
});

test("what is on its way, and what does not come, is told", async () => {
  const { page } = browser;
  await expectWaitingAndFailing(page, "**/v1/runs?*", () => page.getByRole("row").filter({ hasText: "Steady" }).first().waitFor());
});

test("many tabs in the background leave the one in front its connections", async () => {
  const { page, context } = browser;
  const tabs = await Promise.all(
    Array.from({ length: TABS }, async () => {
      const tab = await context.newPage();
      // Without a window, a browser holds every tab for seen.
      await tab.addInitScript(() => Object.defineProperty(document, "visibilityState", { get: () => "hidden" }));
      await tab.goto("/runs");
      return tab;
    }),
  );
  for (const tab of tabs) await tab.locator('[data-row="0"]').waitFor();
  await page.reload();
  await page.getByText("Live", { exact: true }).waitFor();
  const id = await owner.start(broken);
  await page.locator(`[data-row="0"] a[href="/runs/${id}"]`).waitFor();
  for (const tab of tabs) await tab.close();
});

test("who may only look sees runs, and nothing to do to many", async () => {
  await owner.invite(VIEWER, "viewer");
  await visitAs({ email: VIEWER, path: "/runs?status=failed" }, async (page) => {
    await page.getByRole("row").filter({ hasText: "Broken" }).first().getByRole("checkbox").check();
    const many = page.getByRole("group", { name: "Many runs at once" });
    await many.getByText("1 selected:").waitFor();
    expect(await many.getByRole("button").allInnerTexts()).toEqual(["Select none"]);
    await expectAccessible(page);
  });
});

test("where nothing has run yet, that is said, with a way on", async () => {
  const { page } = browser;
  await Owner.inWorkspace(IDLE);
  // The menu knows of workspaces what the page knew when it was opened.
  await page.reload();
  await enter(page, IDLE, "/runs");
  await page.getByRole("heading", { name: "No runs yet" }).waitFor();
  await takeShots(page, "runs-empty");
  await expectAccessible(page);
  await page.getByRole("button", { name: "To the workflows" }).click();
  await page.getByRole("heading", { name: "Workflows", exact: true }).waitFor();
});

test("every page behaved", () => browser.conduct.check());
