import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs } from "./doors.ts";
import { without } from "./processes.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

/** A product of its own, whose processes die under the page: nothing here is an answer that somebody made up. */
let browser: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.signIn();
  const workflow = await owner.publish("Steady", [{ id: "greet", type: "transform", with: { values: {} } }]);
  await owner.start(workflow);
  browser = await openAs({ path: "/" });
  await browser.page.getByText("Live", { exact: true }).waitFor();
});
afterAll(() => browser.close());

test("where the server dies, pages keep what they have, say so, and go on by themselves once it is back", async () => {
  const { page, context } = browser;
  const tile = page.getByRole("region", { name: "Accounted events" });
  await tile.waitFor();
  const other = await context.newPage();
  // This part could not be read in the first place.
  await other.route("**/v1/limits", (route) => route.abort());
  await other.goto("/operations");
  const [dependencies, limits] = ["Dependencies", "Limits"].map((name) => other.getByRole("region", { name }));
  await limits?.getByText(/^This cannot be read\. FlowForge does not answer\./).waitFor();
  await dependencies?.getByText("PostgreSQL").waitFor();
  await without("api", async () => {
    await page.getByText("Live updates paused.").waitFor();
    await page.getByText(/^This may be old: it could not be read anew\. FlowForge does not answer\./).waitFor();
    await tile.waitFor();
    await takeShots(page, "dashboard-outage");
    await expectAccessible(page);
    await dependencies?.getByText(/^This may be old/).waitFor();
    await dependencies?.getByText("PostgreSQL").waitFor();
    await expectAccessible(other);
    await other.unroute("**/v1/limits");
  });
  await limits?.getByText("1 MiB").waitFor();
  await page.getByText("This may be old").waitFor({ state: "detached" });
  await page.getByText("Live", { exact: true }).waitFor();
  expect(await page.title()).toBe("Dashboard · FlowForge");
  await other.close();
});

test("where the server dies, a page that was never opened says so in its place, and comes once it is back", async () => {
  const { page, context } = browser;
  // Nothing of it is kept from before.
  const other = await context.newPage();
  await other.goto("/");
  await other.getByText("Live", { exact: true }).waitFor();
  const rail = other.getByRole("navigation", { name: "Pages" });
  await without("api", async () => {
    await other.getByText("Live updates paused.").waitFor();
    await rail.getByRole("link", { name: "Variables" }).click();
    await other.getByRole("heading", { name: "No connection" }).waitFor();
    await rail.getByRole("link", { name: "Dashboard" }).click();
    await other.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
    await rail.getByRole("link", { name: "Variables" }).click();
    await other.getByRole("heading", { name: "No connection" }).waitFor();
    await other.getByRole("button", { name: "Try again" }).click();
    await other.getByText(/^Tried again .*: nobody answered\.$/).waitFor();
    await expectAccessible(other);
  });
  await other.getByText("Live", { exact: true }).waitFor();
  await other.getByRole("button", { name: "Try again" }).click();
  await other.getByRole("heading", { name: "Variables", exact: true }).waitFor();
  await other.close();
  await page.getByText("Live", { exact: true }).waitFor();
});

test("where Redis dies, operations name it, and whom nobody can see without it", async () => {
  const { page } = browser;
  await page.goto("/operations");
  const health = page.getByRole("status", { name: "Health" });
  const dependencies = page.getByRole("region", { name: "Dependencies" });
  const processes = page.getByRole("region", { name: "Processes" });
  await health.getByText("Every process is at work.").waitFor();
  await without("redis", async () => {
    await dependencies.getByText(/Runs go on by a sweep/).waitFor();
    await processes.getByText(/^cannot be seen: what it tells of itself goes through Redis/).waitFor();
    await processes.getByText(/its memory and runs cannot be read/).waitFor();
    await health.getByText("Every process that can be seen is at work.").waitFor();
    await takeShots(page, "operations-without-redis");
    await expectAccessible(page);
  });
  await health.getByText("Every process is at work.").waitFor();
  await expect.poll(() => processes.getByText(/cannot be (seen|read)/).count(), { timeout: PATIENCE_MS }).toBe(0);
});

test("every page behaved", () => browser.conduct.check());
