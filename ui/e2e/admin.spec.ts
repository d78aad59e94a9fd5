import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS, openBrowser } from "./browser.ts";
import { enter, logIn, openAs, signIn } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { OWNER, Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { tryAgain } from "./states.ts";

const VIEWER = "admin-viewer@example.com";
const HOSTILE = "<img src=x onerror=alert(1)> & co";
const RENEWED = "another battery of correct horses";

let browser: Opened;
let viewer: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.signIn();
  await owner.invite(VIEWER, "viewer");
  browser = await openAs({ path: "/settings" });
  viewer = await openBrowser();
  // By the form: this sign-in is among those that are looked at.
  await signIn(viewer.page, VIEWER);
});
afterAll(() => Promise.all([browser.close(), viewer.close()]));

test("an owner renames the workspace, and everybody sees it", async () => {
  const { page } = browser;
  const { workspace } = await owner.get<{ workspace: { id: string } }>("/v1/auth/me");
  const name = page.getByLabel("Name of the workspace");
  try {
    await name.fill(HOSTILE);
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByRole("button", { name: `Workspace: ${HOSTILE}` }).waitFor();
    expect(await page.locator("img").count()).toBe(0);
    await viewer.page.goto("/settings");
    await viewer.page.getByText("It takes an owner to rename the workspace.").waitFor();
    expect(await viewer.page.getByLabel("Name of the workspace").inputValue()).toBe(HOSTILE);
  } finally {
    // Other journeys know it by this name, whatever has become of this one.
    await owner.patch(`/v1/workspaces/${workspace.id}`, { name: "Main" });
  }
  await page.reload();
  await page.getByRole("button", { name: "Workspace: Main" }).waitFor();
  await takeShots(page, "settings");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("whoever looks only makes a workspace of their own, and goes back", async () => {
  const { page } = viewer;
  await page.goto("/settings");
  await page.getByRole("button", { name: "Workspace: Main" }).click();
  await page.getByRole("menuitem", { name: "New workspace…" }).click();
  const dialog = page.getByRole("dialog", { name: "New workspace" });
  const name = dialog.getByLabel("Name");
  await expectAccessible(page);
  await name.fill("  ");
  await dialog.getByRole("button", { name: "Make it" }).click();
  await dialog.locator("[aria-invalid=true]").waitFor();
  await name.fill(HOSTILE);
  await dialog.getByRole("button", { name: "Make it" }).click();
  await page.getByRole("button", { name: `Workspace: ${HOSTILE}` }).waitFor();
  await enter(page, "Main", "/workflows");
  expect(await page.locator("img").count()).toBe(0);
});

test("a password is changed by who knows it, and what is wrong stands at its field", async () => {
  const { page } = viewer;
  await page.goto("/settings");
  const [current, renewed] = [page.getByLabel("Current password"), page.getByLabel("New password")];
  await current.fill("not the password");
  await renewed.fill(RENEWED);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("It is another one.").waitFor();
  await current.fill(OWNER.password);
  // Past the browser's own check, as with any client.
  await renewed.evaluate((input: HTMLInputElement) => input.removeAttribute("minlength"));
  await renewed.fill("short");
  await page.getByRole("button", { name: "Change the password" }).click();
  await renewed.and(page.locator("[aria-invalid=true]")).waitFor();
  await expectAccessible(page);
  await renewed.fill(RENEWED);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("Your password was changed.").waitFor();
  expect(await logIn(VIEWER, OWNER.password)).toBe(401);
});

test("one sees where one is signed in, and ends one sign-in or all others", async () => {
  const { page } = viewer;
  for (let count = 0; count < 3; count += 1) expect(await logIn(VIEWER, RENEWED)).toBe(200);
  await page.reload();
  const rows = page.getByRole("list", { name: "Sign-ins" }).getByRole("listitem");
  await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(4);
  await rows.filter({ hasText: "this one" }).getByText(/^(Chrome|Firefox) on \w+ from 127\.0\.0\.1, last used/).waitFor();
  await rows.first().getByText(/^node from 127\.0\.0\.1, last used/).waitFor();
  await rows.getByRole("button", { name: "Sign out" }).first().click();
  await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(3);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out", exact: true }).click();
  await expect.poll(() => rows.count(), { timeout: PATIENCE_MS }).toBe(1);
  await rows.getByText("this one").waitFor();
});

test("operations show every process, what waits, and what is away with its cure", async () => {
  const { page } = browser;
  await page.goto("/operations");
  const processes = page.getByRole("region", { name: "Processes" });
  for (const role of ["api", "relay", "worker"]) await processes.getByText(role, { exact: true }).first().waitFor();
  await processes.getByText(/publishes/).waitFor();
  await page.getByText("Every process is at work.").waitFor();
  await page.getByRole("region", { name: "Limits" }).getByText("1 MiB").waitFor();
  await takeShots(page, "operations");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  const ok = { status: "ok", detail: null };
  await page.route("**/health/ready", (route) =>
    route.fulfill({
      status: 503,
      json: { status: "unavailable", checks: { postgres: ok, redis: { status: "failed", detail: "ConnectionError" }, migrations: ok } },
    }),
  );
  await page.getByRole("region", { name: "Dependencies" }).getByText(/ConnectionError\. Runs go on by a sweep/).waitFor();
  await expectAccessible(page);
  await page.unroute("**/health/ready");
  await page.route("**/v1/operations", (route) => route.abort());
  await page.goto("/operations");
  await page.getByText("No connection").waitFor();
  // What needs no session goes on telling.
  await page.getByRole("region", { name: "Dependencies" }).getByText("PostgreSQL").waitFor();
  await page.unroute("**/v1/operations");
  await tryAgain(page);
  await processes.waitFor();
});

test("what is not for a viewer says so, which role it takes, and who gives it", async () => {
  const { page } = viewer;
  const refused: string[] = [];
  const note = (answer: { status: () => number; url: () => string }) => answer.status() === 403 && refused.push(answer.url());
  page.on("response", note);
  const reasons = {
    "/api-keys": "It takes an admin to see and make API keys. You are viewer.",
    "/audit": "It takes an admin to read the audit log. You are viewer.",
    "/operations": "It takes an admin to look after the installation. You are viewer.",
  };
  for (const [path, reason] of Object.entries(reasons)) {
    await page.goto(path);
    const told = page.getByRole("alert").filter({ hasText: "Not for your role" });
    await told.getByText(reason).waitFor();
    await told.getByText(`${OWNER.name} (${OWNER.email})`).waitFor();
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    await expectAccessible(page);
  }
  page.off("response", note);
  expect(refused, "calls that could only be refused").toEqual([]);
});

test("every page behaved", () => {
  browser.conduct.check();
  viewer.conduct.check();
});
