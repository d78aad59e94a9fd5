import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, URL_OF_PRODUCT, openBrowser } from "./browser.ts";
import { signIn } from "./doors.ts";
import { expectAccessibleInBothThemes } from "./looks.ts";
import { OWNER, Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

let browser: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.signIn();
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

test("an address that is none says so", async () => {
  const { page } = browser;
  await page.goto("/no/such/page");
  await page.getByText("There is no such page").waitFor();
  await expectAccessible(page);
});

test("a provider's sign-in is offered, and what came of it is told in words", async () => {
  const { page } = browser;
  const url = `${URL_OF_PRODUCT}/v1/auth/oidc/login`;
  const items = [{ name: "Acme <b>", url }];
  await page.route("**/v1/auth/providers", (route) => route.fulfill({ json: { items, next_cursor: null } }));
  await page.goto("/signin?error=oidc_denied&next=%2Fruns");
  await page.getByRole("alert").getByText("The sign-in was cancelled or refused at the provider.").waitFor();
  const way = page.getByRole("link", { name: "Sign in with Acme <b>" });
  expect(await way.getAttribute("href")).toBe(`${url}?next=%2Fruns`);
  await takeShots(page, "sign-in-provider");
  await expectAccessibleInBothThemes(page);
  await page.goto("/signin?error=never_heard_of");
  await page.getByRole("alert").getByText("The sign-in by the provider did not work.").waitFor();
  const made = await owner.post<{ url: string }>("/v1/invitations", { email: "provided@example.com", role: "viewer" });
  await page.goto(made.url);
  const join = page.getByRole("button", { name: "Join with Acme <b>" });
  await join.waitFor();
  await takeShots(page, "invitation-provider");
  await expectAccessible(page);
  // No provider is set up in truth: the API says so, and the page tells.
  await join.click();
  await page.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await page.unroute("**/v1/auth/providers");
});

test("a session that a provider's sign-in has left is taken up", async () => {
  const { page } = browser;
  await signIn(page);
  // As after it: the cookie is there, and nothing in the browser's store says so.
  await page.evaluate(() => localStorage.clear());
  await page.goto("/signin?signed_in=oidc&next=%2Fruns");
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  await page.goto("/signin?error=oidc_identity_taken");
  await page.getByText("This sign-in at the provider belongs to another account.").waitFor();
});

test("every page behaved", () => browser.conduct.check());
