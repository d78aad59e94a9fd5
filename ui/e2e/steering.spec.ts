import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs } from "./doors.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const WORKSPACE = "Steering";
const WAITING = 3;
const HOSTILE = "<img src=x onerror=alert(1)>";

let browser: Opened;
let owner: Owner;
let orders: string;
let patient: string;
let runs: { small: string; large: string };
beforeAll(async () => {
  owner = await Owner.inWorkspace(WORKSPACE);
  orders = await owner.publish("Orders", [
    { id: "read", name: "Read the order", type: "transform", with: { values: { total: "{{ input.total }}", lines: "{{ input.lines }}" } } },
    { id: "large", type: "if", with: { condition: "steps.read.output.total > 100" }, after: ["read"] },
    { id: "charge", name: "Charge the card", type: "fail", with: { message: "The card was declined" }, after: ["large.true"] },
    { id: "thank", type: "transform", with: { values: {} }, after: ["large.false"] },
  ]);
  patient = await owner.publish("Patient", [{ id: "wait", type: "wait", with: { signal: "go" } }]);
  const lines = [{ sku: "a", count: 1 }, { sku: "b", count: 2 }];
  runs = { small: await owner.start(orders, { total: 40, lines }), large: await owner.start(orders, { total: 120, lines }) };
  await Promise.all(Array.from({ length: WAITING }, () => owner.start(patient)));
  browser = await openAs({ workspace: WORKSPACE, path: "/runs" });
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"]);
});
afterAll(() => browser.close());

const row = (id: string) => browser.page.getByRole("row").filter({ has: browser.page.locator(`a[href="/runs/${id}"]`) });

test("two runs are selected and compared, and where they part first is told", async () => {
  const { page } = browser;
  await row(runs.small).getByText("Succeeded").waitFor();
  await row(runs.large).getByText("Failed").waitFor();
  await row(runs.large).getByRole("checkbox").check();
  await row(runs.small).locator("a").focus();
  await page.keyboard.press("x");
  await page.getByText("2 selected:").waitFor();
  await takeShots(page, "runs-selected");
  await expectAccessibleInBothThemes(page);
  await page.getByRole("link", { name: "Compare" }).click();
  await page.waitForURL(/\/runs\/compare\?a=.+&b=.+/);
  await page.getByText("They began with different input.").waitFor();
  await page.getByText("The first step that differs is").getByText("Read the order").waitFor();
  await page.getByText(/From start to end, (B took .+ (longer|less)|both took as long)\./).waitFor();
  const output = page.getByRole("region", { name: "Read the order" }).getByRole("group", { name: "Output", exact: true });
  await output.getByText('"total": 40').waitFor();
  await output.getByText('"total": 120').waitFor();
  await takeShots(page, "compare");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("what is compared is part of the address", async () => {
  const { page } = browser;
  const a = () => page.getByRole("region", { name: "Run A" }).locator("a").getAttribute("href");
  const before = await a();
  await page.getByRole("region", { name: "Steps" }).getByRole("button", { name: "Charge the card" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "Charge the card" }).waitFor();
  await page.getByRole("button", { name: "Exchange A and B" }).click();
  await page.waitForFunction((old) => document.querySelector('[aria-label="Run A"] a')?.getAttribute("href") !== old, before);
  await page.goto("/runs/compare");
  await page.getByLabel("Run A").fill(runs.small);
  await page.getByLabel("Run B").fill(runs.small);
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByText("Every step went the same way, with the same data.").waitFor();
  await expectWaitingAndFailing(page, `**/v1/runs/${runs.small}`, () => page.getByText("Every step went the same way").waitFor());
});

test("of loops, the first item that differs is found, also where both give the same", async () => {
  const { page } = browser;
  const each = await owner.publish("Each line", [
    {
      id: "each",
      type: "foreach",
      with: { items: "input.items", output: "done" },
      steps: [
        { id: "read", name: "Read it", type: "transform", with: { values: { sku: "{{ item }}" } } },
        { id: "note", type: "transform", with: { values: { n: 1 } }, after: ["read"] },
      ],
    },
  ]);
  const [a, b] = [await owner.start(each, { items: ["a", "b", "c"] }), await owner.start(each, { items: ["a", HOSTILE, "c"] })];
  const more = await owner.start(each, { items: ["a", "b", "c", "d"] });
  for (const id of [a, b, more]) {
    await expect.poll(async () => (await owner.get<{ status: string }>(`/v1/runs/${id}`)).status, { timeout: PATIENCE_MS }).toBe("succeeded");
  }
  const read: string[] = [];
  page.on("request", (request) => read.push(new URL(request.url()).pathname));
  await page.goto(`/runs/compare?a=${a}&b=${b}`);
  await page.getByText("No step differs, as far as was looked: the items of 1 loop were not compared.").waitFor();
  expect(read.filter((path) => path.endsWith("/steps"))).toEqual([]);
  await page.getByRole("button", { name: "Compare the items of 1 loop" }).click();
  await page.getByText("The first step that differs is").getByText("each").waitFor();
  const items = page.getByRole("group", { name: "Items", exact: true });
  await items.getByText(/^The first item that differs is each\[1\], first at Read it: .*what came out\. The one before it went the same way\.$/).waitFor();
  await items.getByRole("region", { name: "Read it" }).getByText(HOSTILE).first().waitFor();
  expect(await page.locator("img").count()).toBe(0);
  await takeShots(page, "compare-items");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await page.goto(`/runs/compare?a=${a}&b=${more}`);
  await items.getByText("3 in A, 4 in B").click();
  await items.getByText("The first item that differs is each[3]: only B has it. The 3 before it went the same way.").waitFor();
  await page.goto(`/runs/compare?a=${a}&b=${a}`);
  await page.getByRole("region", { name: "Steps" }).getByRole("button", { name: "each" }).click();
  await items.getByText("3 in A, 3 in B").click();
  await page.getByText("Every step went the same way, with the same data.").waitFor();
  await items.getByText("All 3 went the same way, with the same data.").waitFor();
});

test("many runs are counted before they are cancelled", async () => {
  const { page } = browser;
  await page.goto("/runs?status=waiting");
  await page.locator(`[data-row="${WAITING - 1}"]`).waitFor();
  const many = page.getByRole("group", { name: "Many runs at once" });
  await many.getByText("All that match:").waitFor();
  await many.getByRole("button", { name: "Cancel" }).click();
  const dialog = page.getByRole("dialog", { name: "Cancel many runs" });
  await dialog.getByText(`${WAITING} runs are meant.`).waitFor();
  await takeShots(page, "runs-bulk");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: `Cancel ${WAITING} runs` }).click();
  await page.getByText(`${WAITING} runs are being cancelled.`).waitFor();
  await page.getByText("No runs match").waitFor();
});

test("of many runs, those that something is not for are left alone", async () => {
  const { page } = browser;
  await page.goto(`/runs?workflow=${orders}`);
  await row(runs.large).waitFor();
  await page.getByRole("group", { name: "Many runs at once" }).getByRole("button", { name: "Retry" }).click();
  const dialog = page.getByRole("dialog", { name: "Retry many runs" });
  await dialog.getByText("Left alone: 1 succeeded.").waitFor();
  await dialog.getByRole("button", { name: "Retry 1 run" }).click();
  await page.getByText("1 run is going on.").waitFor();
  await page.goto(`/runs/${runs.large}`);
  await page.getByText("attempt 2").waitFor();
  await page.locator("main").getByText("Failed", { exact: true }).first().waitFor();
});

test("a run is repeated from a step, with other input, and leads to what it repeats", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.large}?step=read`);
  await page.getByRole("button", { name: "Rerun from read" }).click();
  const dialog = page.getByRole("dialog", { name: "Rerun" });
  expect(await dialog.getByLabel("From").inputValue()).toBe("read");
  await dialog.getByLabel("With other input").check();
  expect(await dialog.getByLabel("Input", { exact: true }).inputValue()).toContain('"total": 120');
  await takeShots(page, "run-rerun");
  await expectAccessible(page);
  await dialog.getByLabel("Input", { exact: true }).fill('{"total": 1e400}');
  await dialog.getByText("Line 1: this number is too large").waitFor();
  await dialog.getByLabel("Input", { exact: true }).fill('{"total": 7, "lines": [], "id": 12345678901234567890123, "price": 1.0}');
  await dialog.getByRole("button", { name: "Start the new run" }).click();
  await page.getByRole("link", { name: "Compare with it" }).click();
  await page.getByText("They began with different input.").waitFor();
  // More digits than a number of JavaScript holds: they went out and came back as they are.
  await page.getByRole("group", { name: "Input", exact: true }).getByText('"id": 12345678901234567890123').first().waitFor();
  await page.getByRole("group", { name: "Input", exact: true }).getByText('"price": 1.0').first().waitFor();
  await page.goBack();
  await page.locator("main").getByText("Succeeded", { exact: true }).first().waitFor();
});

test("what is typed for a rerun stays while the run itself goes on", async () => {
  const { page } = browser;
  const id = await owner.start(patient);
  await owner.post(`/v1/runs/${id}/cancel`);
  await page.goto(`/runs/${id}`);
  await page.getByRole("button", { name: "Rerun", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Rerun" });
  await dialog.getByLabel("With other input").check();
  await dialog.getByLabel("Input", { exact: true }).fill('{"typed": 1}');
  await owner.post(`/v1/runs/${id}/retry`);
  await page.locator("main").getByText("Waiting", { exact: true }).first().waitFor();
  expect(await dialog.getByLabel("Input", { exact: true }).inputValue()).toBe('{"typed": 1}');
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await owner.post(`/v1/runs/${id}/cancel`);
  // What was closed does not come again by itself.
  await page.getByRole("button", { name: "Rerun", exact: true }).waitFor();
  expect(await dialog.count()).toBe(0);
});

test("a value is read as JSON, as a table and by its types", async () => {
  const { page } = browser;
  await page.goto(`/runs/${runs.small}?step=read`);
  const output = page.getByRole("region", { name: "Read the order" }).getByRole("group", { name: "Output", exact: true });
  await output.getByRole("button", { name: "Table" }).click();
  await output.getByRole("cell", { name: '[{"sku":"a","count":1},{"sku":"b","count":2}]' }).waitFor();
  await output.getByRole("button", { name: "Schema" }).click();
  await output.getByText("list of 2").waitFor();
  await takeShots(page, "run-schema");
  await expectAccessible(page);
  await expectReflow(page);
});

test("a run is copied as a command", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "Copy as curl" }).click();
  await page.getByText("The command was copied.").waitFor();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  expect(command).toContain(`/v1/workflows/${orders}/runs`);
  expect(command).toContain('"total":40');
  expect(command).toContain("$FLOWFORGE_TOKEN");
});

test("every page behaved", () => browser.conduct.check());
