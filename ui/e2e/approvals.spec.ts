import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import type { Opened } from "./browser.ts";
import { openAs, visitAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const WORKSPACE = "Approvals";
const HOSTILE = `<img src=x onerror="document.title='taken'">`;
const VIEWER = "approvals-viewer@example.com";

let browser: Opened;
let owner: Owner;
let refund: string;
beforeAll(async () => {
  owner = await Owner.inWorkspace(WORKSPACE);
  refund = await owner.publish("Refunds", [
    { id: "ask", type: "approval", with: { message: "{{ input.message }}", timeout: 172800 } },
    { id: "pay", type: "transform", with: { values: {} }, after: ["ask"] },
  ]);
  await owner.invite(VIEWER, "viewer");
  browser = await openAs({ workspace: WORKSPACE, path: "/approvals" });
});
afterAll(() => browser.close());

const open = (page = browser.page) => page.getByRole("list", { name: "Open approvals" }).getByRole("listitem");
const over = (page = browser.page) => page.getByRole("list", { name: "Approvals that are over" }).getByRole("listitem");
const ask = (message: string) => owner.start(refund, { message });

test("that nobody waits for a decision is said", async () => {
  const { page } = browser;
  await page.getByText("Nobody is waiting for a decision").waitFor();
  await page.getByText("None yet.").waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await takeShots(page, "approvals-empty");
  await expectAccessible(page);
});

test("what a run asks for comes in by itself, and is text whatever it holds", async () => {
  const { page } = browser;
  await ask(`Refund 70 to ${HOSTILE}?`);
  await open().getByText(`Refund 70 to ${HOSTILE}?`).waitFor();
  await open().getByText(/^Times out in/).waitFor();
  await page.getByRole("heading", { name: "Open (1)" }).waitFor();
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.title()).toBe("Approvals · FlowForge");
  await takeShots(page, "approvals");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("of a long message one sees how it begins, until one asks for the rest", async () => {
  const { page } = browser;
  await ask(`A long story. ${"x".repeat(9_000)} The end.`);
  const item = open().filter({ hasText: "A long story" });
  const cut = await item.boundingBox();
  await item.getByRole("button", { name: "Show all of it" }).click();
  await item.getByRole("button", { name: "Show less" }).waitFor();
  expect((await item.boundingBox())?.height).toBeGreaterThan(2 * (cut?.height ?? 0));
  await expectReflow(page);
  await item.getByRole("button", { name: "Show less" }).click();
});

test("an approval is given with a comment, and who gave it is told for good", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Approve: Refund 70" }).click();
  const dialog = page.getByRole("dialog", { name: "Approve it?" });
  await dialog.getByText("Refund 70").waitFor();
  await takeShots(page, "approvals-dialog");
  await expectAccessible(page);
  await dialog.getByLabel("Comment").fill(`A good customer ${HOSTILE}`);
  await dialog.getByRole("button", { name: "Approve" }).click();
  const decided = over().filter({ hasText: "Refund 70" });
  await decided.getByText("Approved").waitFor();
  await decided.getByText("by Olga Owner").waitFor();
  await decided.getByText(`A good customer ${HOSTILE}`).waitFor();
  await open().filter({ hasText: "Refund 70" }).waitFor({ state: "detached" });
  expect(await page.locator("img").count()).toBe(0);
  await decided.getByRole("link", { name: "Refunds" }).click();
  await page.getByRole("heading", { name: "Refunds", exact: true }).waitFor();
  await page.locator("main").getByText("Succeeded", { exact: true }).first().waitFor();
  await page.goBack();
  await decided.waitFor();
});

test("keys alone reject, and lead on from there", async () => {
  const { page } = browser;
  const reject = page.getByRole("button", { name: "Reject: A long story" });
  await reject.focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Reject it?" });
  await dialog.getByLabel("Comment").focus();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.locator(":focus").and(reject).waitFor();
  await page.keyboard.press("Enter");
  await dialog.getByLabel("Comment").focus();
  await page.keyboard.type("Too long");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await over().filter({ hasText: "Too long" }).getByText("Rejected").waitFor();
  await page.getByText("Nobody is waiting for a decision").waitFor();
  await page.locator("#open-approvals:focus").waitFor();
});

test("what somebody else has decided meanwhile is told, and nothing that was written stands in the way", async () => {
  const { page } = browser;
  await ask("Twice?");
  const approve = page.getByRole("button", { name: "Approve: Twice?" });
  await approve.waitFor();
  const { id } = ((await owner.get("/v1/approvals?status=pending")) as { items: { id: string }[] }).items[0] ?? { id: "" };
  await approve.click();
  const dialog = page.getByRole("dialog", { name: "Approve it?" });
  await dialog.getByLabel("Comment").fill("Mine");
  await owner.post(`/v1/approvals/${id}`, { decision: "rejected", comment: "Theirs" });
  // Behind a dialog, what is on the page has no role.
  await page.locator("[data-approval]").filter({ hasText: "Theirs" }).waitFor();
  await dialog.getByRole("button", { name: "Approve" }).click();
  await page.getByText("It was too late. The approval is rejected.").waitFor();
  await dialog.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Dismiss" }).last().click();
});

test("how they ended is part of the address, and so is one run", async () => {
  const { page } = browser;
  await page.getByLabel("How it ended").selectOption("approved");
  await over().filter({ hasText: "Too long" }).waitFor({ state: "detached" });
  await over().filter({ hasText: "Refund 70" }).waitFor();
  await page.reload();
  await over().filter({ hasText: "Refund 70" }).waitFor();
  expect(new URL(page.url()).searchParams.get("status")).toBe("approved");
  const run = await ask("Only this one?");
  await page.goto(`/approvals?run=${run}`);
  await open().getByText("Only this one?").waitFor();
  expect(await over().count()).toBe(0);
  await page.getByRole("link", { name: "Show those of all runs" }).click();
  await over().filter({ hasText: "Too long" }).waitFor();
});

test("what is on its way, and what does not come, is told", async () => {
  await expectWaitingAndFailing(browser.page, "**/v1/approvals?*", () => open().getByText("Only this one?").waitFor());
});

test("who may only look sees all, and why nothing can be decided", async () => {
  await visitAs({ email: VIEWER, path: "/approvals" }, async (page) => {
    await open(page).getByText("Only this one?").waitFor();
    await page.getByText("It takes an operator to decide.").waitFor();
    expect(await page.getByRole("button", { name: /^(Approve|Reject)/ }).count()).toBe(0);
    await over(page).filter({ hasText: "Theirs" }).getByText("by Olga Owner").waitFor();
    await takeShots(page, "approvals-viewer");
    await expectAccessible(page);
  });
});

test("every page behaved", () => browser.conduct.check());
