import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, openBrowser } from "./browser.ts";
import { expectAccessibleInBothThemes } from "./looks.ts";
import { OWNER } from "./product.ts";
import { takeShots } from "./shots.ts";

/** A product that nobody has set up: these tests are one journey and run in their order. */
let browser: Opened;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

test("whoever comes first is led to the set-up, whatever they have opened", async () => {
  const { page } = browser;
  await page.goto("/runs?status=failed");
  await page.getByRole("heading", { name: "Set up FlowForge" }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/setup");
  await takeShots(page, "setup");
  await expectAccessible(page);
});

test("what the API finds wrong stands at its field", async () => {
  const { page } = browser;
  await page.getByLabel("Your name").fill(OWNER.name);
  await page.getByLabel("Email").fill("nobody@example .com".replace(" ", ""));
  await page.getByLabel("Password").fill(OWNER.password);
  // Past the browser's own check, as with any client.
  await page.getByLabel("Password").evaluate((input: HTMLInputElement) => input.removeAttribute("minlength"));
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByLabel("Password").and(page.locator("[aria-invalid=true]")).waitFor();
  await expectAccessible(page);
});

test("the set-up signs its owner in", async () => {
  const { page } = browser;
  await page.getByLabel("Email").fill(OWNER.email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Set up" }).click();
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
  await page.getByText("No runs in the last 24 hours").waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await takeShots(page, "dashboard-empty");
  await expectAccessible(page);
  await page.getByRole("link", { name: "To the workflows" }).click();
  await page.getByText("No workflows yet").waitFor();
  await takeShots(page, "workflows-empty");
  await expectAccessible(page);
});

test("the set-up is over for good", async () => {
  const { page } = browser;
  await page.goto("/setup");
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
});

test("a reload keeps the session, and no script can read what keeps it", async () => {
  const { page, context } = browser;
  await page.reload();
  await page.getByText("No runs in the last 24 hours").waitFor();
  const cookies = await context.cookies();
  expect(cookies.map(({ httpOnly, sameSite }) => ({ httpOnly, sameSite }))).toEqual([{ httpOnly: true, sameSite: "Strict" }]);
  const readable = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }));
  expect(readable).not.toContain(cookies[0]?.value);
  expect(readable).not.toContain("eyJ");
});

test("reloads in a row do not end the session", async () => {
  const { page } = browser;
  for (let count = 0; count < 5; count += 1) await page.goto("/workflows", { waitUntil: "commit" });
  await page.getByText("No workflows yet").waitFor();
});

test("a template becomes a workflow that runs", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Make it: Hello" }).click();
  await page.getByRole("heading", { name: "Hello", exact: true, level: 1 }).waitFor();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByText("On v1").waitFor();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("button", { name: "Run version 1" }).click();
  await page.getByRole("heading", { name: "The whole run" }).waitFor();
  await page.getByText("Succeeded").first().waitFor();
});

test("a page, a workflow and a run are gone to by typing", async () => {
  const { page } = browser;
  const run = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  const goTo = async (typed: string, entry: string) => {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Page, workflow or run" }).fill(typed);
    await page.getByRole("option", { name: entry, selected: true }).waitFor();
  };
  await goTo("hel", "Hello workflow");
  await expectAccessibleInBothThemes(page);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Hello", exact: true, level: 1 }).waitFor();
  await goTo(run, `${run} run`);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The whole run" }).waitFor();
  await goTo("api", "API keys");
  await page.keyboard.press("Enter");
  await page.getByText("No API keys yet").waitFor();
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
});

test("who signs out is out", async () => {
  const { page, context } = browser;
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  expect(await context.cookies()).toEqual([]);
  await page.goto("/runs");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("every page behaved", () => browser.conduct.check());
