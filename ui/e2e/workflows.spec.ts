import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { type Opened, PATIENCE_MS } from "./browser.ts";
import { openAs, visitAs } from "./doors.ts";
import { Owner } from "./product.ts";
import { takeShots } from "./shots.ts";

const HOSTILE = `<img src=x onerror="document.title='taken'"> & "friends"`;
const VIEWER = "vera@example.com";
const STEPS = [{ id: "greet", type: "transform", with: { values: { text: "hello" } } }];

let browser: Opened;
let owner: Owner;
beforeAll(async () => {
  owner = await Owner.signIn();
  await owner.publish("Order fulfilment", STEPS, { description: "Charges, packs and tells the customer." });
  await owner.publish("Nightly clean-up", STEPS, { enabled: false });
  await owner.post("/v1/workflows", { name: HOSTILE, description: HOSTILE, definition: { schema: 1, steps: [] } });
  await owner.invite(VIEWER, "viewer");
  browser = await openAs({ path: "/workflows" });
});
afterAll(() => browser.close());

test("workflows are listed with how they stand", async () => {
  const { page } = browser;
  await page.getByRole("row").filter({ hasText: "Order fulfilment" }).getByText("On v1").waitFor();
  await page.getByRole("row").filter({ hasText: "Nightly clean-up" }).getByText("Off v1").waitFor();
  await takeShots(page, "workflows");
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: "light" });
});

test("text from outside stays text", async () => {
  const { page } = browser;
  const row = page.getByRole("row").filter({ hasText: "onerror" });
  await row.getByText(HOSTILE).first().waitFor();
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.title()).toBe("Workflows · FlowForge");
});

test("a search is part of the address, and finds parts of names", async () => {
  const { page } = browser;
  await page.keyboard.press("/");
  await page.keyboard.type("fulfil");
  await page.getByText("Nightly clean-up").waitFor({ state: "detached" });
  await page.getByText("Order fulfilment").waitFor();
  expect(new URL(page.url()).searchParams.get("q")).toBe("fulfil");
  await page.reload();
  await page.getByText("Order fulfilment").waitFor();
  await page.getByLabel("Search by name").fill("no such thing");
  await page.getByText("No workflow is called “no such thing”").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show all" }).click();
  await page.getByText("Nightly clean-up").waitFor();
});

test("a workflow is turned on, its copy is led to, and deleted", async () => {
  const { page } = browser;
  const row = page.getByRole("row").filter({ hasText: "Nightly clean-up" }).first();
  await row.getByRole("button", { name: "Actions for Nightly clean-up" }).click();
  await takeShots(page, "workflow-menu");
  await page.getByRole("menuitem", { name: "Turn on" }).click();
  await row.getByText("On v1").waitFor();
  await row.getByRole("button", { name: "Actions for Nightly clean-up" }).click();
  await page.getByRole("menuitem", { name: "Duplicate" }).click();
  await page.getByRole("heading", { name: "Nightly clean-up (copy)", exact: true }).waitFor();
  await page.getByText("Nightly clean-up (copy) was made.").waitFor();
  await page.getByRole("button", { name: "Actions for Nightly clean-up (copy)" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete Nightly clean-up (copy)?" });
  await dialog.waitFor();
  await takeShots(page, "dialog");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await page.getByText("Nightly clean-up (copy) was deleted.").waitFor();
});

test("a workflow leaves as a file and comes back as one", async () => {
  const { page } = browser;
  const row = page.getByRole("row").filter({ hasText: "Order fulfilment" });
  await row.getByRole("button", { name: "Actions for Order fulfilment" }).click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("menuitem", { name: "Export as YAML" }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("order-fulfilment.yaml");
  const path = join(mkdtempSync(join(tmpdir(), "flowforge-export-")), "back.yaml");
  writeFileSync(path, readFileSync(await download.path(), "utf8").replace("Order fulfilment", "Came back"));
  await page.getByLabel("Workflow file").setInputFiles(path);
  await page.getByText("Imported Came back.").waitFor();
  await page.getByRole("row").filter({ hasText: "Came back" }).getByText("Draft").waitFor();
  await takeShots(page, "toast");
});

test("of imported triggers, those that need a secret are told of until they have one", async () => {
  const { page } = browser;
  const path = join(mkdtempSync(join(tmpdir(), "flowforge-import-")), "signed.json");
  const trigger = { type: "webhook", config: { auth: { type: "github" } } };
  writeFileSync(path, JSON.stringify({ flowforge: 1, name: "Signed", definition: { schema: 1, steps: STEPS }, triggers: [trigger] }));
  await page.getByLabel("Workflow file").setInputFiles(path);
  await page.getByText("A trigger of Signed needs a secret, which no file holds").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).last().click();
  await page.getByRole("link", { name: "Signed", exact: true }).click();
  await page.getByRole("link", { name: "Triggers", exact: true }).click();
  const needed = page.getByText("It needs a secret: until it is given one, it refuses everything.");
  await needed.waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Actions for Signature of GitHub" }).click();
  await page.getByRole("menuitem", { name: "Make a secret" }).click();
  await page.getByRole("dialog", { name: "Make a secret?" }).getByRole("button", { name: "Not now" }).click();
  await page.getByRole("button", { name: "Set the secret" }).click();
  await page.getByLabel("Secret", { exact: true }).fill("a secret that both sides know");
  await page.getByRole("button", { name: "Save" }).click();
  await needed.waitFor({ state: "detached" });
  await page.goto("/workflows");
});

test("a file that is none is refused, with its place", async () => {
  const { page } = browser;
  const path = join(mkdtempSync(join(tmpdir(), "flowforge-import-")), "broken.yaml");
  writeFileSync(path, "name: [unclosed\n");
  await page.getByLabel("Workflow file").setInputFiles(path);
  await page.getByText("broken.yaml was not imported.").waitFor();
  await page.getByRole("button", { name: "Dismiss" }).last().click();
});

test("a workflow is renamed, also while its definition is written, its draft tried out, and the signal that it waits for sent", async () => {
  const { page } = browser;
  const definition = { schema: 1, steps: [{ id: "booked", type: "wait", with: { signal: "booked" } }] };
  const { id } = await owner.post("/v1/workflows", { name: "Bookings", definition });
  await page.goto(`/workflows/${id}?tab=definition`);
  await page.getByText("No faults: it can be published.").waitFor();
  const field = page.getByLabel("Definition", { exact: true });
  await field.fill(`${await field.inputValue()} `);
  await page.getByRole("button", { name: "Rename or describe" }).click();
  const words = page.getByRole("dialog", { name: "Name and description" });
  await words.getByLabel("Name", { exact: true }).fill("Seats");
  await words.getByLabel("Description").fill("Waits for the theatre.");
  await expectAccessible(page);
  await words.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Seats", exact: true }).waitFor();
  await page.getByText("Waits for the theatre.").waitFor();
  await page.getByRole("button", { name: "Save the draft" }).click();
  await page.getByText("As it is saved").waitFor();
  await page.getByRole("button", { name: "Test draft" }).click();
  const trial = page.getByRole("dialog", { name: "Test the draft of Seats" });
  await trial.getByLabel("Input").fill('{"seats": 2}');
  await trial.getByRole("button", { name: "Test it" }).click();
  await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
  await page.getByText("test of a draft").waitFor();
  await page.getByRole("region", { name: "Graph" }).getByText("booked", { exact: true }).waitFor();
  await page.locator('[data-path="booked"]').click();
  const step = page.getByRole("region", { name: "booked" });
  await step.getByRole("button", { name: "Send signal" }).click();
  const signal = page.getByRole("dialog", { name: "Send the signal booked" });
  await signal.getByLabel("Payload").fill('{"row": 7}');
  await expectAccessible(page);
  await signal.getByRole("button", { name: "Send it" }).click();
  await step.getByText("Succeeded", { exact: true }).waitFor();
  await step.getByRole("group", { name: "Output", exact: true }).getByText('"row": 7').waitFor();
});

test("live updates are paused by a press, and go on by another", async () => {
  const { page } = browser;
  const id = await owner.publish("Held still", STEPS);
  await page.goto("/workflows");
  const row = page.getByRole("row").filter({ hasText: "Held still" });
  await row.getByText("No runs yet").waitFor();
  await page.getByRole("button", { name: /^Live ?, pause live updates$/ }).click();
  await page.getByText("You have paused live updates").waitFor();
  await expectAccessible(page);
  const run = await owner.start(id);
  const status = async () => (await owner.get<{ status: string }>(`/v1/runs/${run}`)).status;
  await expect.poll(status, { timeout: PATIENCE_MS }).toBe("succeeded");
  expect(await row.getByText("No runs yet").count()).toBe(1);
  await page.getByRole("button", { name: "Resume" }).click();
  await row.getByRole("img", { name: "The last run: 1 succeeded" }).waitFor();
  await page.getByRole("button", { name: /^Live ?, pause live updates$/ }).waitFor();
});

test("the menu of the account leads to the reference of the API", async () => {
  const { page, context } = browser;
  await page.getByRole("button", { name: "Account" }).click();
  const [reference] = await Promise.all([context.waitForEvent("page"), page.getByRole("menuitem", { name: "API reference" }).click()]);
  await reference.waitForURL("**/docs/api");
  await reference.getByRole("heading", { level: 1 }).waitFor();
  await reference.close();
});

test("keys are told by the help, from whichever the page binds", async () => {
  const { page } = browser;
  await page.locator("#main").focus();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keyboard shortcuts" });
  await help.getByText("Search workflows").waitFor();
  await takeShots(page, "keyboard-help");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });
  await page.locator("#main").focus();
  await page.keyboard.press("/");
  await page.getByLabel("Search by name").and(page.locator(":focus")).waitFor();
});

test("the theme is chosen, and kept over a reload from the first paint on", async () => {
  const { page } = browser;
  await page.getByRole("button", { name: "View and keys" }).click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  expect(await ground()).toBe("rgb(11, 16, 15)");
  await page.reload({ waitUntil: "commit" });
  await page.waitForFunction(() => document.documentElement.dataset["theme"] === "dark");
  await page.getByText("Nightly clean-up").waitFor();
  await page.getByRole("button", { name: "View and keys" }).click();
  await page.getByRole("menuitemradio", { name: "As the system" }).click();
  expect(await ground()).toBe("rgb(241, 244, 243)");
});

test("nothing is wider than a small screen", async () => {
  const { page } = browser;
  await page.setViewportSize({ width: 320, height: 700 });
  for (const path of ["/workflows", "/runs"]) {
    await page.goto(path);
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
});

test("who may only look is offered nothing else", async () => {
  await visitAs({ email: VIEWER, path: "/workflows" }, async (page) => {
    await page.getByRole("button", { name: "Actions for Order fulfilment" }).click();
    await page.getByRole("menuitem", { name: "Export as YAML" }).waitFor();
    for (const name of ["Run", "Publish the draft", "Turn off", "Duplicate", "Delete"]) {
      expect(await page.getByRole("menuitem", { name, exact: true }).getAttribute("aria-disabled")).toBe("true");
    }
    expect(await page.getByRole("button", { name: "Import" }).count()).toBe(0);
  });
});

test("every page behaved", () => browser.conduct.check());
