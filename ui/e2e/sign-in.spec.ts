import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS, openBrowser } from "./browser.ts";
import { signIn, signOut } from "./doors.ts";
import { OWNER, Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

let browser: Opened;
beforeAll(async () => {
  await Owner.signIn();
  browser = await openBrowser();
});
afterAll(() => browser.close());

test("a wrong password is refused in words", async () => {
  const { page } = browser;
  await page.goto("/");
  await page.getByLabel("Email").fill(OWNER.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("The email or the password is wrong.").waitFor();
  await takeShots(page, "sign-in");
  await expectAccessible(page);
});

test("a password is masked, may be pasted, and is offered to password managers", async () => {
  const { page } = browser;
  await page.goto("/signin");
  const [email, password] = [page.getByLabel("Email"), page.getByLabel("Password")];
  expect(await password.getAttribute("type")).toBe("password");
  expect(await password.getAttribute("autocomplete")).toBe("current-password");
  expect(await email.getAttribute("autocomplete")).toBe("username");
  await email.fill(OWNER.password);
  await email.press("ControlOrMeta+A");
  await email.press("ControlOrMeta+C");
  await password.press("ControlOrMeta+V");
  expect(await password.inputValue()).toBe(OWNER.password);
});

test("a link into the app leads there after the sign-in, by keyboard alone", async () => {
  const { page } = browser;
  await page.goto("/runs?status=%5B%22failed%22%5D&q=502");
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.keyboard.type(OWNER.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(OWNER.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  expect(await page.getByLabel("Search id, workflow or error").inputValue()).toBe("502");
  expect(await page.getByRole("button", { name: "Failed" }).getAttribute("aria-pressed")).toBe("true");
});

test("a sign-in is no way to another place", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  for (const next of ["//evil.example/", "/\\evil.example", "https://evil.example/"]) {
    await page.goto(`/signin?next=${encodeURIComponent(next)}`);
    await page.getByLabel("Email").fill(OWNER.email);
    await page.getByLabel("Password").fill(OWNER.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
  }
});

test("an address that is none asks for the sign-in, and says so among the other pages", async () => {
  const { page } = browser;
  await page.goto("/no/such/page");
  await page.getByLabel("Email").fill(OWNER.email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  const main = page.getByRole("main");
  await main.getByRole("heading", { name: "There is no such page", level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe("/no/such/page");
  await page.getByRole("button", { name: /^Workspace: / }).waitFor();
  await takeShots(page, "not-found");
  await expectAccessible(page);
  await page.goto("/runs/none/at/all");
  await main.getByRole("heading", { name: "There is no such page", level: 1 }).waitFor();
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Runs" }).click();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.goto("/no/such/page");
  await main.getByRole("link", { name: "To the workflows" }).click();
  await page.getByRole("heading", { name: "Workflows", exact: true }).waitFor();
  await signOut(page);
});

/** What the writer has written below, and where. */
let letter: { id: string; mine: string };
const field = (page: Page = browser.page) => page.getByLabel("Definition", { exact: true });
const countKept = (page: Page) => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith("flowforge.unsaved.")).length);

test("what is written and not saved outlives the end of the session", async () => {
  const { page } = browser;
  const owner = await Owner.inWorkspace("Writing room");
  await owner.invite("writer@example.com", "editor");
  const id = await owner.publish("Letter", [{ id: "write", type: "transform", with: { values: { text: "dear" } } }]);
  await signIn(page, "writer@example.com");
  await page.goto(`/workflows/${id}?tab=definition`);
  letter = { id, mine: (await field().inputValue()).replace("dear", "dearest") };
  await field().fill(letter.mine);
  await page.getByRole("button", { name: "Publish", exact: true, disabled: true }).waitFor();
  // The session is over: the token is refused, and there is nothing that another one is given for.
  await page.context().clearCookies();
  await page.route(`**/v1/workflows/${id}`, (route) => route.fulfill({ status: 401, json: { code: "invalid_token" } }), { times: 1 });
  await page.getByRole("button", { name: "Save the draft" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.getByLabel("Email").fill("writer@example.com");
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("What you had written and not saved is here again.").waitFor();
  expect(await field().inputValue()).toBe(letter.mine);
});

test("a run that is started beside something unsaved is told, and whoever stays keeps what is written", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByRole("dialog", { name: "Run Letter" }).getByRole("button", { name: "Run version 1" }).click();
  expect(await page.getByRole("link", { name: "Show it" }).getAttribute("href")).toMatch(/^\/runs\/[0-9a-f-]{36}$/);
  await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: "Stay" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  expect(await field().inputValue()).toBe(letter.mine);
});

test("what is unsaved is asked about before one signs out, and goes in all tabs once one has", async () => {
  const { page, context } = browser;
  const leave = async (verb: string) => {
    await page.getByRole("button", { name: "Account" }).click();
    await page.getByRole("menuitem", { name: "Sign out" }).click();
    await page.getByRole("dialog", { name: "Leave without saving?" }).getByRole("button", { name: verb }).click();
  };
  await leave("Stay");
  expect(await field().inputValue()).toBe(letter.mine);
  const refused = { status: 503, code: "unavailable", title: "Service Unavailable", detail: "It is starting." };
  await page.route("**/v1/auth/logout", (route) => route.fulfill({ status: 503, json: refused }), { times: 1 });
  await leave("Leave");
  const told = page.getByText("You are still signed in. It is starting.");
  await told.waitFor();
  expect([await field().inputValue(), await countKept(page)]).toEqual([letter.mine, 1]);
  // What is told lies over a dialog, and is put away without closing it.
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const input = page.getByRole("dialog", { name: "Run Letter" }).getByLabel("Input");
  await input.fill('{"typed": 1}');
  await told.locator("..").getByRole("button", { name: "Dismiss" }).click();
  await told.waitFor({ state: "detached" });
  expect(await input.inputValue()).toBe('{"typed": 1}');
  await page.keyboard.press("Escape");
  const other = await context.newPage();
  await other.goto(`/workflows/${letter.id}?tab=definition`);
  await field(other).fill(letter.mine);
  await expect.poll(() => countKept(other), { timeout: PATIENCE_MS }).toBe(1);
  await leave("Leave");
  for (const tab of [page, other]) {
    await tab.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await countKept(tab)).toBe(0);
  }
  await other.close();
});

test("every page behaved", () => browser.conduct.check());
