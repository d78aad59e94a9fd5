import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs, visitAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const WORKSPACE = "Workshop";
const STEPS = [
  { id: "read", name: "Read the order", type: "transform", with: { values: { total: "{{ input.total }}" } } },
  { id: "large", type: "if", with: { condition: "steps.read.output.total > 100" }, after: ["read"] },
  { id: "charge", type: "fail", with: { message: "The card was declined" }, after: ["large.true"] },
  { id: "thank", type: "transform", with: { values: { text: "<b>thanks</b>" } }, after: ["large.false"] },
];

let browser: Opened;
let owner: Owner;
let workflow: string;
beforeAll(async () => {
  owner = await Owner.inWorkspace(WORKSPACE);
  workflow = await owner.publish("Order fulfilment", STEPS, { description: "Charges, packs and tells the customer." });
  browser = await openAs({ workspace: WORKSPACE, path: "/workflows" });
});
afterAll(() => browser.close());

/** Open a part of the workflow's page, from anew. */
async function open(tab: string): Promise<void> {
  await browser.page.goto(`/workflows/${workflow}${tab === "graph" ? "" : `?tab=${tab}`}`);
  await browser.page.getByRole("heading", { name: "Order fulfilment", exact: true }).waitFor();
}

test("the list tells how the last runs went, as they happen, and when the next one is due", async () => {
  const { page } = browser;
  const row = page.getByRole("row").filter({ hasText: "Order fulfilment" });
  await row.getByText("No runs yet").waitFor();
  await page.getByText("Live", { exact: true }).waitFor();
  await owner.start(workflow, { total: 40 });
  await row.getByRole("img", { name: "The last run: 1 succeeded" }).waitFor();
  await owner.start(workflow, { total: 120 });
  await row.getByRole("img", { name: "The last 2 runs, the newest first: 1 failed, 1 succeeded" }).waitFor();
  await owner.post(`/v1/workflows/${workflow}/triggers`, { type: "schedule", config: { cron: "0 6 * * *" } });
  await page.reload();
  await row.getByText("schedule").waitFor();
  await row.getByText(/^in /).waitFor();
  await takeShots(page, "workflows-marks");
  await expectAccessibleInBothThemes(page);
});

test("every template can be published as it is", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "New workflow" }).click();
  const dialog = page.getByRole("dialog", { name: "Begin with" });
  const names = await dialog.getByRole("heading", { level: 3 }).allTextContents();
  expect(names.length).toBeGreaterThanOrEqual(5);
  await takeShots(page, "templates");
  await expectAccessible(page);
  for (const [index, name] of names.entries()) {
    if (index > 0) await page.getByRole("button", { name: "New workflow" }).click();
    await dialog.getByRole("button", { name: `Make it: ${name}` }).click();
    await page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();
    await page.getByRole("button", { name: "Publish", exact: true, disabled: false }).waitFor();
    await page.goto("/workflows");
  }
});

test("a step that is chosen in the graph is part of the address, and shows how it is set up", async () => {
  const { page } = browser;
  await open("graph");
  await page.locator('[data-step="thank"]').click();
  await page.getByRole("region", { name: "thank" }).getByText("<b>thanks</b>").first().waitFor();
  await page.reload();
  await page.getByRole("region", { name: "thank" }).waitFor();
  await page.locator('[data-step="thank"]').waitFor();
  expect(new URL(page.url()).searchParams.get("step")).toBe("thank");
  await takeShots(page, "workflow-graph");
  await expectAccessibleInBothThemes(page);
  await page.getByRole("button", { name: "Close the step" }).press("Enter");
  await page.getByText("Choose a step").waitFor();
  await page.locator("[data-graph] [role=group]:focus").waitFor();
  await expectReflow(page);
});

test("faults of a definition stand at their lines, in JSON as in YAML", async () => {
  const { page } = browser;
  await open("definition");
  const field = page.getByLabel("Definition", { exact: true });
  await page.getByText("No faults: it can be published.").waitFor();
  const text = await field.inputValue();
  await field.fill(text.replace('"type": "fail"', '"type": "teleport"'));
  const faults = page.getByRole("region", { name: "Faults" });
  const line = text.slice(0, text.indexOf('"type": "fail"')).split("\n").length;
  await faults.getByRole("button", { name: `Line ${line}` }).click();
  const place = () => field.evaluate((area: HTMLTextAreaElement) => area.value.slice(0, area.selectionStart).split("\n").length);
  await expect.poll(place, { timeout: PATIENCE_MS }).toBe(line);
  await takeShots(page, "workflow-definition");
  await expectAccessibleInBothThemes(page);
  await page.getByLabel("Written as").selectOption("yaml");
  await page.waitForFunction(() => document.querySelector("textarea")?.value.includes("type: teleport"));
  const yaml = await field.inputValue();
  await faults.getByRole("button", { name: `Line ${yaml.slice(0, yaml.indexOf("type: teleport")).split("\n").length}` }).waitFor();
  await field.fill("steps: [unclosed\n");
  await faults.getByRole("button", { name: /^Line [12]/ }).waitFor();
  await field.fill(yaml.replace("type: teleport", "type: fail").replace("declined", "refused"));
  await page.getByText("No faults: it can be published.").waitFor();
  await field.press("Control+s");
  await page.getByText("As it is saved").waitFor();
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByText("On v2").waitFor();
});

test("a draft that somebody else has saved meanwhile is not written over unasked", async () => {
  const { page } = browser;
  await open("definition");
  const field = page.getByLabel("Definition", { exact: true });
  await page.getByText("No faults").waitFor();
  const mine = (await field.inputValue()).replace("refused", "refused by me");
  await field.fill(mine);
  const { definition, revision } = await owner.get<{ definition: object; revision: number }>(`/v1/workflows/${workflow}`);
  const theirs = JSON.parse(JSON.stringify(definition).replace("refused", "refused by them")) as object;
  await owner.patch(`/v1/workflows/${workflow}`, { definition: theirs }, { "if-match": `"${revision}"` });
  await page.getByRole("button", { name: "Save the draft" }).click();
  const told = page.getByRole("alert").filter({ hasText: "has saved another draft meanwhile" });
  await told.getByText("Olga Owner").waitFor();
  expect(await field.inputValue()).toBe(mine);
  await takeShots(page, "workflow-conflict");
  await expectAccessibleInBothThemes(page);
  await told.getByRole("button", { name: "Keep mine over theirs" }).click();
  await page.getByRole("button", { name: "Save the draft" }).click();
  await page.getByText("As it is saved").waitFor();
  expect(JSON.stringify((await owner.get<{ definition: object }>(`/v1/workflows/${workflow}`)).definition)).toContain("refused by me");
});

test("whoever leaves with something unsaved is asked", async () => {
  const { page } = browser;
  const field = page.getByLabel("Definition", { exact: true });
  await field.fill(`${await field.inputValue()} `);
  await page.getByRole("link", { name: "Versions" }).click();
  const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
  await dialog.getByRole("button", { name: "Stay" }).click();
  expect(new URL(page.url()).searchParams.get("tab")).toBe("definition");
  await page.getByRole("link", { name: "Versions" }).click();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await page.getByRole("list", { name: "Versions" }).waitFor();
});

test("a version is compared with the draft, restored, and published again", async () => {
  const { page } = browser;
  const versions = page.getByRole("list", { name: "Versions" });
  await versions.getByRole("listitem").filter({ hasText: "v2" }).getByText("Live.").waitFor();
  await page.getByRole("button", { name: "Compare version 1 with the draft" }).click();
  const dialog = page.getByRole("dialog", { name: "Version 1 and the draft" });
  await dialog.getByText("The card was declined").waitFor();
  await dialog.getByText("The card was refused by me").waitFor();
  await takeShots(page, "workflow-versions");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Restore version 1 as the draft" }).click();
  await page.getByRole("button", { name: "Restore it" }).click();
  await page.getByText("The draft is as version 1 was.").waitFor();
  await page.getByRole("button", { name: "Publish again what version 1 was" }).click();
  await page.getByRole("button", { name: "Publish it" }).click();
  await versions.getByRole("listitem").filter({ hasText: "v3" }).getByText("Live.").waitFor();
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("the runs of the workflow come in as they happen", async () => {
  const { page } = browser;
  await open("runs");
  await page.getByText("Live", { exact: true }).waitFor();
  const id = await owner.start(workflow, { total: 7 });
  await page.getByRole("row").filter({ has: page.locator(`a[href="/runs/${id}"]`) }).getByText("Succeeded").waitFor();
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  // Nothing is streamed: the tab asks by itself.
  await page.route("**/v1/stream", (route) => route.abort());
  await open("runs");
  await page.getByText("Live updates paused.").waitFor();
  await page.locator('[data-row="1"]').waitFor();
  const late = await owner.start(workflow, { total: 8 });
  await page.locator(`a[href="/runs/${late}"]`).waitFor();
  await page.unroute("**/v1/stream");
});

test("the workflow is run with the input that is typed", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Run", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Run Order fulfilment" });
  await dialog.getByLabel("Input").fill('{"total": }');
  await dialog.getByText(/^Line 1: /).waitFor();
  expect(await dialog.getByRole("button", { name: "Run version 3" }).isDisabled()).toBe(true);
  await expectAccessible(page);
  await dialog.getByLabel("Input").fill('{"total": 77}');
  await dialog.getByRole("button", { name: "Run version 3" }).click();
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
  await page.getByRole("group", { name: "Input", exact: true }).getByText('"total": 77').waitFor();
});

test("names of any length and script keep their place", async () => {
  const { page } = browser;
  const [long, arabic] = ["Rechtsschutzversicherung".repeat(8), "تقرير أسبوعي عن الطلبات الكبيرة"];
  const steps = [{ id: "a", name: `${arabic} ${arabic}`, type: "transform", with: { values: {} } }];
  const id = await owner.publish(long, steps, { description: arabic });
  await page.goto(`/workflows/${id}`);
  // Cut where the words end, which is at the left.
  const name = page.locator('[data-step="a"]').getByText(arabic);
  expect(await name.evaluate((element) => getComputedStyle(element).direction)).toBe("rtl");
  await takeShots(page, "workflow-names");
  await expectReflow(page);
  await page.goto("/workflows");
  await page.getByRole("link", { name: long }).waitFor();
  await expectReflow(page);
});

test("the page says that it is loading, and what has failed", async () => {
  const { page } = browser;
  await open("graph");
  await expectWaitingAndFailing(page, `**/v1/workflows/${workflow}`, () =>
    page.getByRole("heading", { name: "Order fulfilment", exact: true }).waitFor(),
  );
  await page.goto("/workflows/01a21a4f-3d41-7000-8000-000000000001");
  await page.getByText("Not found").waitFor();
});

test("who may only look sees everything and changes nothing", async () => {
  await owner.invite("workshop-viewer@example.com", "viewer");
  await visitAs({ email: "workshop-viewer@example.com", path: `/workflows/${workflow}?tab=definition` }, async (page) => {
    await page.getByText("It takes an editor to change workflows.").waitFor();
    expect(await page.getByLabel("Definition", { exact: true }).getAttribute("readonly")).not.toBeNull();
    expect(await page.getByRole("button", { name: "Publish", exact: true }).isDisabled()).toBe(true);
    await page.getByRole("link", { name: "Triggers" }).click();
    await page.getByText("It takes an editor to change triggers.").waitFor();
    await page.getByRole("link", { name: "Versions" }).click();
    await page.getByRole("list", { name: "Versions" }).waitFor();
    expect(await page.getByRole("button", { name: /^Restore/ }).count()).toBe(0);
  });
});

test("every page behaved", () => browser.conduct.check());
