import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs, statusOf } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

const HOSTILE = "<img src=x onerror=alert(1)> & co";

let browser: Opened;
beforeAll(async () => {
  // Where nobody has set the product up yet, this does.
  await Owner.signIn();
  browser = await openAs({ path: "/api-keys" });
});
afterAll(() => browser.close());

test("an API key is shown once, works, and ends when it is revoked", async () => {
  const { page } = browser;
  await page.route("**/v1/api-keys?*", (route) => route.fulfill({ json: { items: [], next_cursor: null } }));
  await page.goto("/api-keys");
  await page.getByText("No API keys yet").waitFor();
  await expectAccessible(page);
  await page.unroute("**/v1/api-keys?*");
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Name").fill(HOSTILE);
  await expectAccessible(page);
  await page.keyboard.press("Enter");
  const secret = await page.locator("[data-secret]").innerText();
  expect(await statusOf(secret)).toBe(200);
  // What nobody can show again is not lost by a slip.
  await page.keyboard.press("Escape");
  await page.locator("[data-secret]").waitFor();
  await takeShots(page, "api-key-shown");
  await expectAccessible(page);
  await page.getByRole("button", { name: "I have stored it" }).click();
  const row = page.getByRole("row").filter({ hasText: HOSTILE });
  await row.getByText(secret.slice(0, 6)).waitFor();
  expect(await page.content()).not.toContain(secret);
  await takeShots(page, "api-keys");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await row.getByRole("button", { name: /^Revoke/ }).click();
  const asked = page.getByRole("dialog");
  const revoke = asked.getByRole("button", { name: "Revoke", exact: true });
  // No slip of the hand types its name.
  expect(await revoke.isDisabled()).toBe(true);
  await page.keyboard.press("Enter");
  await expectAccessible(page);
  await asked.getByLabel("Its name").fill(HOSTILE);
  await takeShots(page, "api-key-revoked");
  expect(await statusOf(secret)).toBe(200);
  await revoke.click();
  await row.waitFor({ state: "detached" });
  await expect.poll(() => statusOf(secret), { timeout: PATIENCE_MS }).toBe(401);
});

test("the audit log is filtered by the address, and tells all of an entry", async () => {
  const { page } = browser;
  await page.goto("/audit");
  await page.locator("[data-seq]").first().waitFor();
  await takeShots(page, "audit");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await page.getByLabel("Action").selectOption("API keys");
  await page.waitForURL("**/audit?action=api_key");
  const entries = page.getByRole("list", { name: "Entries" }).locator("[data-seq]");
  await entries.filter({ hasText: "API key revoked" }).first().getByText(HOSTILE).waitFor();
  await entries.filter({ hasText: "API key created" }).first().click();
  await page.getByText("Hash", { exact: true }).waitFor();
  await page.getByText("After", { exact: true }).waitFor();
  await expectAccessible(page);
  await page.getByRole("link", { name: "All that was done to it" }).click();
  await page.waitForURL("**/audit?target=*");
  // It was made, revoked, and tried once more.
  await expect.poll(() => entries.count(), { timeout: PATIENCE_MS }).toBe(3);
  await page.reload();
  await expect.poll(() => entries.count(), { timeout: PATIENCE_MS }).toBe(3);
  await page.locator("#main").focus();
  await page.keyboard.press("/");
  await page.keyboard.type("no such entry");
  await page.getByText("No entries match").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show all" }).click();
  await entries.nth(3).waitFor();
});

test("the audit log leaves as a file, and proves that it is whole", async () => {
  const { page } = browser;
  await page.getByLabel("Outcome").selectOption("Refused");
  await page.waitForURL("**/audit?outcome=refused");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export these" }).click(),
  ]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  const outcomes = lines.map((line) => (JSON.parse(line) as { entry: { outcome: string } }).entry.outcome);
  expect(new Set(outcomes)).toEqual(new Set(["refused"]));
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText(/^All [\d,]+ entries are as they were entered\.$/).waitFor();
  await takeShots(page, "audit-verified");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.route("**/v1/audit/verify", (route) =>
    route.fulfill({
      json: { valid: false, entries: 7, first_seq: 1, last_seq: 8, hash: null, broken_at: 8, reason: "changed" },
    }),
  );
  await page.getByRole("button", { name: "Verify" }).click();
  await page.getByText("Entry 8 is not as it was entered.").waitFor();
  await page.keyboard.press("Escape");
});

test("every page behaved", () => browser.conduct.check());
