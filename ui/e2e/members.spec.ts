import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS, openBrowser } from "./browser.ts";
import { openAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { OWNER, Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing, tryAgain } from "./states.ts";

const WORKSPACE = "Members";
const NEWCOMER = "members-newcomer@example.com";
const KNOWN = "members-known@example.com";
const HOSTILE = `<img src=x onerror="document.title='taken'">`;

let browser: Opened;
let guest: Opened;
let link: string;
beforeAll(async () => {
  // Who has an account already, by another workspace.
  await (await Owner.signIn()).invite(KNOWN, "viewer");
  await Owner.inWorkspace(WORKSPACE);
  browser = await openAs({ workspace: WORKSPACE, path: "/members" });
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  guest = await openBrowser();
});
afterAll(async () => {
  await guest.close();
  await browser.close();
});

const dialog = () => browser.page.getByRole("dialog");
const row = (name: string) => browser.page.getByRole("row").filter({ hasText: name });
const invitation = (email: string) => browser.page.getByRole("list", { name: "Open invitations" }).getByRole("listitem").filter({ hasText: email });

/** Invite somebody by the form; the link. */
async function invite(email: string, role: string): Promise<string> {
  await browser.page.getByRole("button", { name: "Invite" }).click();
  await dialog().getByLabel("Email").fill(email);
  await dialog().getByLabel("Role").selectOption(role);
  await dialog().getByRole("button", { name: "Make the link" }).click();
  const made = (await dialog().getByRole("group", { name: "Link" }).textContent()) ?? "";
  await dialog().getByRole("button", { name: "I have given it to them" }).click();
  return made;
}

test("whoever is alone stays its owner", async () => {
  const { page } = browser;
  await row(OWNER.name).getByText("You", { exact: true }).waitFor();
  expect(await row(OWNER.name).getByLabel(`Role of ${OWNER.name}`).isDisabled()).toBe(true);
  expect(await page.getByRole("button", { name: "Leave the workspace" }).isDisabled()).toBe(true);
  await page.getByText("None. Whoever is invited appears here until they join.").waitFor();
  await takeShots(page, "members-alone");
  await expectAccessible(page);
});

test("an invitation is a link, shown once and copied", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Invite" }).click();
  await dialog().getByLabel("Email").fill(NEWCOMER);
  await dialog().getByLabel("Role").selectOption("editor");
  await takeShots(page, "members-invite");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Make the link" }).click();
  const shown = dialog().getByRole("group", { name: "Link" });
  link = (await shown.textContent()) ?? "";
  expect(link).toMatch(/\/invitation#[\w-]{20,}$/);
  await takeShots(page, "members-link");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Copy" }).click();
  await page.getByText("The link was copied.").waitFor();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await dialog().getByRole("button", { name: "I have given it to them" }).click();
  await invitation(NEWCOMER).getByText(/^Expires in/).waitFor();
  await invitation(NEWCOMER).getByText("by Olga Owner").waitFor();
  expect(await page.content()).not.toContain(link.split("#")[1]);
});

test("who is in already is not invited again, and the form says so", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Invite" }).click();
  await dialog().getByLabel("Email").fill(OWNER.email);
  await dialog().getByRole("button", { name: "Make the link" }).click();
  await dialog().getByRole("alert").getByText(/member/).waitFor();
  await page.keyboard.press("Escape");
});

test("somebody new joins by the link, by keys alone", async () => {
  const { page } = guest;
  await page.goto(link);
  await page.getByRole("heading", { name: `Join ${WORKSPACE}` }).waitFor();
  await page.getByText("You are invited as editor.").waitFor();
  expect(await page.getByLabel("Email").inputValue()).toBe(NEWCOMER);
  await takeShots(page, "invitation-new");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await page.getByLabel("Your name").focus();
  await page.keyboard.type(HOSTILE);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  // Past the browser's own check, as with any client.
  await page.getByLabel("Password").evaluate((input: HTMLInputElement) => input.removeAttribute("minlength"));
  await page.keyboard.type("short");
  await page.keyboard.press("Enter");
  await page.getByLabel("Password").and(page.locator("[aria-invalid=true]")).waitFor();
  await expectAccessible(page);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
  await page.getByRole("button", { name: `Workspace: ${WORKSPACE}` }).waitFor();
  expect(page.url()).not.toContain("#");
});

test("an editor sees who is in, and why nothing can be changed", async () => {
  const { page } = guest;
  await page.goto("/members");
  await page.getByText("It takes an admin to invite and remove members.").waitFor();
  await page.getByText("It takes an owner to give roles.").waitFor();
  expect(await page.getByRole("button", { name: "Invite" }).count()).toBe(0);
  expect(await page.getByRole("combobox").count()).toBe(0);
  expect(await page.getByRole("heading", { name: "Open invitations" }).count()).toBe(0);
  await page.getByRole("row").filter({ hasText: HOSTILE }).getByText("You", { exact: true }).waitFor();
  expect(await page.locator("img").count()).toBe(0);
  await takeShots(page, "members-editor");
  await expectAccessible(page);
});

test("a link that was used says so", async () => {
  const { page } = guest;
  await page.goto(link);
  await page.getByText("This invitation has been accepted already: sign in.").waitFor();
  await takeShots(page, "invitation-used");
  await expectAccessible(page);
});

test("a member gets another role after it was asked for", async () => {
  const { page } = browser;
  await page.reload();
  await row(NEWCOMER).waitFor();
  await page.getByRole("columnheader", { name: "Last seen" }).waitFor();
  // The third column; on a small screen it stands below the name.
  await row(NEWCOMER).getByRole("cell").nth(2).getByText(/^(just now|\d+ (sec|min)\. ago)$/).waitFor();
  await page.getByRole("row", { name: /^Publish workflows/ }).getByText("yes").nth(2).waitFor({ state: "attached" });
  await takeShots(page, "members");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  const role = row(NEWCOMER).getByRole("combobox");
  await role.selectOption("viewer");
  await dialog().getByText(/It takes hold within 5 seconds/).waitFor();
  await takeShots(page, "members-role");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Leave it as it is" }).click();
  await expect.poll(() => role.inputValue(), { timeout: PATIENCE_MS }).toBe("editor");
  await role.selectOption("admin");
  await dialog().getByRole("button", { name: "Make them admin" }).click();
  await page.getByText(/is admin now\.$/).waitFor();
  // The role of the one who has just joined is read anew after the change.
  await page.waitForFunction((select) => (select as HTMLSelectElement).value === "admin", await role.elementHandle());
});

test("an invitation is taken back, and its link says so", async () => {
  const { page } = browser;
  const taken = await invite("members-nobody@example.com", "viewer");
  await page.getByRole("button", { name: "Revoke the invitation to members-nobody@example.com" }).click();
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Revoke" }).click();
  await page.getByText("The invitation to members-nobody@example.com is void.").waitFor();
  await invitation("members-nobody@example.com").waitFor({ state: "detached" });
  await guest.page.goto(taken);
  await guest.page.getByText(/This invitation was taken back/).waitFor();
  await guest.page.goto("/invitation");
  await guest.page.getByText(/copy the whole of it/).waitFor();
  await expectAccessible(guest.page);
});

test("who has an account joins with its password", async () => {
  const { page } = guest;
  await page.goto(await invite(KNOWN, "operator"));
  await page.getByText("You have an account: give its password.").waitFor();
  expect(await page.getByLabel("Your name").count()).toBe(0);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByText("This is not the password of your account.").waitFor();
  await takeShots(page, "invitation-known");
  await expectAccessible(page);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Join", exact: true }).click();
  await page.getByRole("button", { name: `Workspace: ${WORKSPACE}` }).waitFor();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByText(KNOWN).waitFor();
  await page.keyboard.press("Escape");
});

test("an invitation that does not come is asked for again", async () => {
  const { page } = guest;
  const again = await invite("members-late@example.com", "viewer");
  await page.route("**/v1/invitations/read", (route) => route.abort());
  await page.goto(again);
  await page.getByText("No connection").waitFor();
  await expectAccessible(page);
  await page.unroute("**/v1/invitations/read");
  await tryAgain(page);
  await page.getByRole("heading", { name: `Join ${WORKSPACE}` }).waitFor();
});

test("a member is removed after it was asked for", async () => {
  const { page } = browser;
  await page.reload();
  await page.getByRole("button", { name: `Remove ${HOSTILE}` }).click();
  await dialog().getByText(/end within 5 seconds/).waitFor();
  await takeShots(page, "members-remove");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Remove" }).click();
  await page.getByText("is no member any more.").waitFor();
  await row(NEWCOMER).waitFor({ state: "detached" });
  expect(await page.title()).toBe("Members · FlowForge");
});

test("what is on its way, and what does not come, is told", async () => {
  await expectWaitingAndFailing(browser.page, "**/v1/members?*", () => row(KNOWN).waitFor(), "forbidden");
});

test("whoever may only work here leaves after it was asked for", async () => {
  const { page } = guest;
  await page.goto("/members");
  await page.getByRole("button", { name: "Leave the workspace" }).click();
  const asked = page.getByRole("dialog", { name: "Leave the workspace?" });
  await asked.getByText(/end within 5 seconds/).waitFor();
  await page.locator(":focus").and(asked.getByRole("button", { name: "Stay" })).waitFor();
  await expectAccessible(page);
  await asked.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await browser.page.reload();
  await row(OWNER.name).waitFor();
  expect(await row(KNOWN).count()).toBe(0);
});

test("every page behaved", () => {
  browser.conduct.check();
  guest.conduct.check();
});
