import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PROVIDER, URL_OF_PRODUCT, openBrowser } from "./browser.ts";
import { signIn, signOut } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { OWNER, Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

/** The provider knows them by these names, and tells this address of the one who is let in. */
const KNOWN = "grace";
const STRANGER = "mallory";
const EMAIL = "grace@example.com";
const NAME = "Acme <b>";

let browser: Opened;
let guest: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.inWorkspace("Provided");
  browser = await openBrowser();
  guest = await openBrowser();
  // Its pages have letters of others: no test asks them.
  for (const { context } of [browser, guest]) await context.route("https://**", (route) => route.abort());
});
afterAll(async () => {
  await guest.close();
  await browser.close();
});

/** Be somebody at the provider's forms, and agree to be led back. */
async function beThere(page: Page, subject: string): Promise<void> {
  await page.waitForURL(`${PROVIDER}/interaction/**`);
  await page.locator("input[name=login]").fill(subject);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.locator("input[name=prompt][value=consent]").waitFor({ state: "attached" });
  await page.locator("button[type=submit]").click();
}

test("a provider's sign-in is offered, and whoever has no account is told so", async () => {
  const { page } = guest;
  await page.goto("/signin?error=oidc_denied&next=%2Fruns");
  await page.getByRole("alert").getByText("The sign-in was cancelled or refused at the provider.").waitFor();
  const way = page.getByRole("link", { name: `Sign in with ${NAME}` });
  expect(await way.getAttribute("href")).toBe(`${URL_OF_PRODUCT}/v1/auth/oidc/login?next=%2Fruns`);
  await takeShots(page, "sign-in-provider");
  await expectAccessibleInBothThemes(page);
  await way.click();
  await beThere(page, STRANGER);
  await page.getByRole("alert").getByText("Nobody has an account by this sign-in.").waitFor();
  await page.goto("/signin?error=never_heard_of");
  await page.getByRole("alert").getByText("The sign-in by the provider did not work.").waitFor();
  // The provider remembers who it was: the next one is somebody else.
  await guest.context.clearCookies();
});

test("who is invited joins through the provider, and has no password to be asked for", async () => {
  const { page } = guest;
  const { url } = await owner.post<{ url: string }>("/v1/invitations", { email: EMAIL, role: "viewer" });
  await page.goto(url);
  const join = page.getByRole("button", { name: `Join with ${NAME}` });
  await join.waitFor();
  await takeShots(page, "invitation-provider");
  await expectAccessible(page);
  await join.click();
  await beThere(page, KNOWN);
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
  await page.getByRole("button", { name: "Workspace: Provided" }).waitFor();
  await page.goto("/settings");
  await page.getByText("It has no password: you sign in through the provider alone.").waitFor();
  expect(await page.locator("input[type=password]").count()).toBe(0);
  const linked = page.getByRole("list", { name: "Linked to your account" }).getByRole("listitem");
  await linked.filter({ hasText: /grace@example\.com/i }).waitFor();
  expect(await linked.getByRole("button").isDisabled()).toBe(true);
  await takeShots(page, "settings-provided");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("an account without a password joins another workspace by the provider alone", async () => {
  const other = await Owner.inWorkspace("Provided too");
  const { url } = await other.post<{ url: string }>("/v1/invitations", { email: EMAIL, role: "editor" });
  const { page } = guest;
  await page.goto(url);
  await page.getByText("Your account has no password: join through the provider.").waitFor();
  expect(await page.locator("input[type=password]").count()).toBe(0);
  await page.getByRole("button", { name: `Join with ${NAME}` }).waitFor();
  await expectAccessible(page);
});

test("the button leads through the provider to where one wanted to go", async () => {
  const { page } = guest;
  await page.goto("/");
  await signOut(page);
  await page.goto("/runs?q=502");
  await page.getByRole("link", { name: `Sign in with ${NAME}` }).click();
  // Who is there already is led back at once.
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  expect(await page.getByLabel("Search id, workflow or error").inputValue()).toBe("502");
});

test("an account with a password is linked after the password was given, and unlinked", async () => {
  const { page } = browser;
  await signIn(page);
  await page.goto("/settings");
  const form = page.locator("form").filter({ has: page.getByRole("button", { name: `Link ${NAME}` }) });
  await form.getByLabel("Your password").fill("not my password");
  await form.getByRole("button").click();
  await form.getByText("It is another one.").waitFor();
  await form.getByLabel("Your password").fill(OWNER.password);
  await form.getByRole("button").click();
  await beThere(page, STRANGER);
  await page.getByRole("heading", { name: "Settings", exact: true }).waitFor();
  const linked = page.getByRole("list", { name: "Linked to your account" }).getByRole("listitem");
  await linked.filter({ hasText: "mallory@elsewhere.example" }).waitFor();
  await takeShots(page, "settings-linked");
  await expectAccessible(page);
  await linked.getByRole("button", { name: "Unlink mallory@elsewhere.example" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Unlink" }).click();
  await page.getByText("None is linked to your account.").waitFor();
});

test("a session that a provider's sign-in has left is taken up", async () => {
  const { page } = browser;
  // As after it: the cookie is there, and nothing in the browser's store says so.
  await page.evaluate(() => localStorage.clear());
  await page.goto("/signin?signed_in=oidc&next=%2Fruns");
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.goto("/signin?error=oidc_identity_taken");
  await page.getByText("This sign-in at the provider belongs to another account.").waitFor();
});

test("every page behaved", () => {
  browser.conduct.check();
  guest.conduct.check();
});
