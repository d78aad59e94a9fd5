import { afterAll, beforeAll, expect, test } from "vitest";
import type { Opened } from "./browser.ts";
import { openAs, visitAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const HOSTILE = "<img src=x onerror=alert(1)>";
const LETTERS = 90_000;

let browser: Opened;
let owner: Owner;
let runs: Record<"failed" | "waiting" | "retried" | "loop" | "large", string>;
beforeAll(async () => {
  owner = await Owner.signIn();
  const failed = await owner.publish("Declined orders", [
    { id: "read", type: "transform", with: { values: { total: "{{ input.total }}", note: HOSTILE } } },
    { id: "large", type: "if", with: { condition: "steps.read.output.total > 100" }, after: ["read"] },
    { id: "charge", name: "Charge the card", type: "fail", with: { message: "The card was declined" }, after: ["large.true"] },
    { id: "thank", type: "transform", with: { values: {} }, after: ["large.false"] },
    { id: "ship", type: "transform", with: { values: {} }, after: ["charge"] },
  ]);
  const waiting = await owner.publish("Patient orders", [
    { id: "prepare", type: "transform", with: { values: { text: "hello" } } },
    { id: "booked", type: "wait", with: { signal: "booked" }, after: ["prepare"] },
    { id: "ask", type: "approval", with: { message: "Refund it?" }, after: ["prepare"] },
    { id: "close", type: "transform", with: { values: {} }, after: ["booked", "ask"] },
  ]);
  // A name of which it is certain that it leads nowhere.
  const retried = await owner.publish("Stubborn orders", [
    {
      id: "call",
      type: "http",
      with: { method: "GET", url: "http://name.invalid/" },
      retry: { max_attempts: 3, initial: 0.2, factor: 1, jitter: false },
    },
    { id: "rescue", type: "transform", with: { values: { why: "{{ steps.call.error.message }}" } }, after: ["call.error"] },
  ]);
  const loop = await owner.publish("Each order", [
    {
      id: "each",
      type: "foreach",
      with: { items: "input.items", on_item_error: "continue" },
      steps: [{ id: "double", type: "transform", with: { values: { twice: "{{ item * 2 }}" } } }],
    },
  ]);
  const large = await owner.publish("Large orders", [
    { id: "copy", type: "transform", with: { values: { text: "{{ input.text }}" } } },
  ]);
  runs = {
    failed: await owner.start(failed, { total: 120 }),
    waiting: await owner.start(waiting),
    retried: await owner.start(retried),
    loop: await owner.start(loop, { items: [1, 2, "three"] }),
    large: await owner.start(large, { text: "x".repeat(LETTERS) }),
  };
  browser = await openAs();
});
afterAll(() => browser.close());

/** Open a run, and wait until it stands so. */
async function open(name: keyof typeof runs, workflow: string, status: string): Promise<void> {
  const { page } = browser;
  await page.goto(`/runs/${runs[name]}`);
  await page.getByRole("heading", { name: workflow, exact: true }).waitFor();
  await page.locator("main").getByText(status, { exact: true }).first().waitFor();
}

test("a failed run shows where and why, and which way it went", async () => {
  const { page } = browser;
  await open("failed", "Declined orders", "Failed");
  await page.locator('[data-step="charge"]').waitFor();
  await page.locator('[data-from="read"][data-taken="true"]').waitFor({ state: "attached" });
  expect(await page.locator('[data-from="large"][data-taken="true"]').count()).toBe(1);
  expect(await page.locator('[data-from="large"][data-taken="false"]').count()).toBe(1);
  await page.getByRole("button", { name: "Show charge" }).click();
  const inspector = page.getByRole("region", { name: "Charge the card" });
  await inspector.getByText("The card was declined").first().waitFor();
  expect(new URL(page.url()).searchParams.get("step")).toBe("charge");
  await takeShots(page, "run-failed");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("text from outside appears as text", async () => {
  const { page } = browser;
  await page.locator('[data-path="read"]').click();
  await page.getByRole("region", { name: "read" }).getByText(HOSTILE).first().waitFor();
});

test("why a step did not run can be read, and keys lead through steps", async () => {
  const { page } = browser;
  await page.locator('[data-path="charge"]').focus();
  await page.locator('[data-path="charge"]').press("Enter");
  // Arrows lead on from the step that is chosen.
  await page.getByRole("region", { name: "Charge the card" }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.getByRole("heading", { name: "thank" }).waitFor();
  await page.getByRole("region", { name: "thank" }).getByText("Cancelled", { exact: true }).waitFor();
  await page.getByRole("group", { name: /^Graph/ }).focus();
  await page.keyboard.press("ArrowLeft");
  await page.getByRole("heading", { name: "large", exact: true }).waitFor();
  await page.keyboard.press("g");
  await page.locator('[data-path="large"]:focus').waitFor();
  await page.keyboard.press("g");
  await page.locator("[data-graph] [role=group]:focus").waitFor();
  await page.getByRole("button", { name: "Close the step" }).press("Enter");
  await page.getByRole("heading", { name: "The whole run" }).waitFor();
  // Where the step was opened, and not lost with what was closed.
  await page.locator('[data-path="large"]:focus').press("Enter");
  await page.getByRole("heading", { name: "large", exact: true }).waitFor();
  await page.keyboard.press("g");
  await page.locator("[data-graph] [role=group]:focus").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "The whole run" }).waitFor();
  await page.locator("[data-graph] [role=group]:focus").waitFor();
  expect(new URL(page.url()).search).toBe("");
});

test("a waiting run says what for, and goes on before one's eyes", async () => {
  const { page } = browser;
  await open("waiting", "Patient orders", "Waiting");
  await page.locator('[data-path="ask"]').click();
  await page.getByRole("link", { name: "To the decision" }).click();
  await page.waitForURL(`**/approvals?run=${runs.waiting}`);
  await page.getByRole("list", { name: "Open approvals" }).getByText("Refund it?").waitFor();
  await page.goBack();
  await page.locator("summary", { hasText: "Events" }).click();
  await page.getByRole("list", { name: "Events" }).getByText("run.waiting").waitFor();
  await page.locator('[data-path="booked"]').click();
  await page.getByRole("region", { name: "booked" }).getByText(/signal/).first().waitFor();
  await takeShots(page, "run-waiting");
  await expectAccessibleInBothThemes(page);
  await owner.post(`/v1/runs/${runs.waiting}/signal`, { name: "booked", payload: { seat: 7 } });
  await page.getByRole("region", { name: "booked" }).getByText("Succeeded", { exact: true }).waitFor();
  await page.getByRole("list", { name: "Events" }).getByText("step.succeeded").nth(1).waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator("main").getByText("Cancelled", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "Retry" }).waitFor();
  await page.getByRole("list", { name: "Events" }).getByText("run.cancelled").waitFor();
});

test("every attempt of a retried step is told", async () => {
  const { page } = browser;
  await open("retried", "Stubborn orders", "Succeeded");
  await page.locator('[data-path="call"]').click();
  await page.getByRole("group", { name: "Attempts" }).getByRole("listitem").nth(2).waitFor();
  await page.locator('[data-from="call"][data-taken="true"]').waitFor({ state: "attached" });
  await takeShots(page, "run-retried");
  await expectAccessibleInBothThemes(page);
  const attempts = page.getByRole("group", { name: "3 attempts", exact: true });
  await attempts.getByRole("button", { name: "JSON" }).click();
  await attempts.getByText('"number": 3').waitFor();
  await attempts.getByRole("button", { name: "Table" }).click();
  await attempts.getByRole("columnheader", { name: "queued_ms" }).waitFor();
});

test("where the screen becomes small, the graph is seen from its beginning", async () => {
  const { page } = browser;
  await open("failed", "Declined orders", "Failed");
  await page.setViewportSize({ width: 390, height: 900 });
  await page.waitForFunction(() => {
    const plate = document.querySelector('[data-step="read"]')?.getBoundingClientRect();
    return plate !== undefined && plate.left >= 0 && plate.right <= 390;
  });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.locator('[data-step="ship"]').waitFor();
});

test("the items of a loop are read one by one", async () => {
  const { page } = browser;
  await open("loop", "Each order", "Succeeded");
  await page.locator('[data-path="each"]').click();
  await page.getByText("each[1]", { exact: true }).click();
  await page.getByRole("group", { name: "Items" }).getByText("double").click();
  await page.getByText('"twice": 4').first().waitFor();
  await takeShots(page, "run-loop");
  await expectAccessibleInBothThemes(page);
  await page.getByLabel("Only the 1 that failed").check();
  await page.getByText("each[1]", { exact: true }).waitFor({ state: "detached" });
  await page.getByRole("group", { name: "Items" }).getByText("each[2]", { exact: true }).waitFor();
  await page.getByLabel("Only the 1 that failed").uncheck();
  await page.getByText("each[0]", { exact: true }).waitFor();
});

test("of a large output one sees how it begins, and saves the whole", async () => {
  const { page } = browser;
  await open("large", "Large orders", "Succeeded");
  await page.locator('[data-path="copy"]').click();
  const output = page.getByRole("region", { name: "copy" }).getByRole("group", { name: "Output", exact: true });
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    output.getByRole("button", { name: "Download all" }).click(),
  ]);
  const { readFile } = await import("node:fs/promises");
  const value = JSON.parse(await readFile(await download.path(), "utf8")) as { text: string };
  expect(value.text).toHaveLength(LETTERS);
});

test("a rerun leads to the new run, which leads back", async () => {
  const { page } = browser;
  await open("loop", "Each order", "Succeeded");
  // Who may do it has the button, and the key with it.
  await page.getByRole("button", { name: "Rerun", exact: true, disabled: false }).waitFor();
  await page.locator("#main").focus();
  await page.keyboard.press("r");
  await page.getByRole("dialog", { name: "Rerun" }).getByRole("button", { name: "Start the new run" }).click();
  await page.getByRole("link", { name: "The run that this repeats" }).click();
  await page.waitForURL(`**/runs/${runs.loop}`);
});

test("what is on its way, and what does not come, is told", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.failed}`);
  await expectWaitingAndFailing(page, `**/v1/runs/${runs.failed}`, () => page.getByRole("heading", { name: "Declined orders" }).waitFor());
});

test("what was read stays where it cannot be read anew, and that is said", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.failed}`);
  await page.locator('[data-path="charge"]').waitFor();
  const busy = { status: 500, code: "internal_error", title: "Internal Server Error", detail: "Something broke." };
  await page.route(`**/v1/runs/${runs.failed}`, (route) => route.fulfill({ status: 500, json: busy }));
  // To be told of the run is reason enough to read it anew.
  await owner.post(`/v1/runs/${runs.failed}/retry`);
  await page.getByText("This may be old: it could not be read anew. Something broke.").waitFor();
  expect(await page.locator('[data-path="charge"]').count()).toBe(1);
  await page.unroute(`**/v1/runs/${runs.failed}`);
  // Another change may bring it before anybody presses.
  await page.getByRole("button", { name: "Try again" }).or(page.getByText("attempt 2")).first().click();
  await page.getByText("attempt 2").waitFor();
});

test("a viewer sees all and may do nothing", async () => {
  await owner.invite("run-viewer@example.com", "viewer");
  await visitAs({ email: "run-viewer@example.com", path: `/runs/${runs.failed}` }, async (page) => {
    await page.locator('[data-path="charge"]').waitFor();
    await page.getByText("It takes an operator to cancel, retry or rerun.").waitFor();
    expect(await page.getByRole("button", { name: "Retry" }).isDisabled()).toBe(true);
    expect(await page.getByRole("button", { name: "Rerun", exact: true }).isDisabled()).toBe(true);
  });
});

test("every page behaved", () => browser.conduct.check());
