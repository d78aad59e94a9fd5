import { expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { visitAs } from "./doors.ts";
import { journeyTo } from "./journey.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const WORKSPACE = "Variables";
const HOSTILE = `<img src=x onerror="document.title='taken'">`;
const VIEWER = "variables-viewer@example.com";

const journey = journeyTo({ workspace: WORKSPACE, path: "/variables", viewer: VIEWER });
const { dialog, row } = journey;

async function choose(name: string, item: string): Promise<void> {
  await journey.page.getByRole("button", { name: `Actions for ${name}` }).click();
  await journey.page.getByRole("menuitem", { name: item }).click();
}

test("that there are none is said, with what they are for", async () => {
  const { page } = journey;
  await page.getByText("No variables yet").waitFor();
  await takeShots(page, "variables-empty");
  await expectAccessible(page);
});

test("a variable is made of text, which stays text", async () => {
  const { page } = journey;
  await page.getByRole("button", { name: "New variable" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("GREETING");
  await dialog().getByLabel("Value").fill(HOSTILE);
  await takeShots(page, "variables-form");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Save" }).click();
  await row("GREETING").getByText(HOSTILE).last().waitFor();
  await row("GREETING").getByText("by Olga Owner").waitFor();
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.title()).toBe("Variables · FlowForge");
});

test("what is no JSON is told at its field, and what is becomes the value", async () => {
  const { page } = journey;
  await page.getByRole("button", { name: "New variable" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("LIMITS");
  await dialog().getByLabel("Kind").selectOption("json");
  await dialog().getByLabel("Value").fill("{per_day: 7}");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/This is no JSON/).waitFor();
  await expectAccessible(page);
  await dialog().getByLabel("Value").fill('{"per_day": 7, "account": 9007199254740993, "rate": 1.0}');
  await dialog().getByRole("button", { name: "Save" }).click();
  await row("LIMITS").getByText("object").waitFor();
  // Every digit arrives, and is shown.
  await row("LIMITS").getByText('{"per_day":7,"account":9007199254740993,"rate":1.0}').last().waitFor();
});

test("a new one takes no name that is there, and one that is there is changed by keys alone", async () => {
  const { page } = journey;
  await page.getByRole("button", { name: "New variable" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("LIMITS");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/There is a variable of this name/).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Actions for LIMITS" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("[role=menuitem]:focus").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.locator("[role=menuitem]:focus").filter({ hasText: "Change" }).waitFor();
  await page.keyboard.press("Enter");
  await dialog().getByLabel("Value").focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("[1, 2, 3]");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await row("LIMITS").getByText("list of 3").waitFor();
});

test("a search is part of the address, and finds names and values", async () => {
  const { page } = journey;
  await takeShots(page, "variables");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await page.locator("#main").focus();
  await page.keyboard.press("/");
  await page.keyboard.type("onerror");
  await row("LIMITS").waitFor({ state: "detached" });
  await page.reload();
  await row("GREETING").waitFor();
  expect(new URL(page.url()).searchParams.get("q")).toBe("onerror");
  await page.getByLabel("Search name or value").fill("no such thing");
  await page.getByText("No variable holds “no such thing”").waitFor();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show all" }).click();
  await row("LIMITS").waitFor();
});

test("one is deleted after it was asked for, with the workflows that read it", async () => {
  const { page } = journey;
  await journey.owner.publish("Greets", [{ id: "greet", type: "transform", with: { values: { text: "{{ vars.GREETING }}" } } }]);
  await choose("GREETING", "Delete");
  await dialog().getByText(/fail from now on/).waitFor();
  await dialog().getByRole("group", { name: "Workflows that read it" }).getByText("Greets").waitFor();
  await takeShots(page, "variables-delete");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Keep it" }).click();
  await choose("GREETING", "Delete");
  await dialog().getByRole("button", { name: "Delete" }).click();
  await page.getByText("GREETING was deleted.").waitFor();
  await row("GREETING").waitFor({ state: "detached" });
});

test("what somebody else has changed meanwhile is neither overwritten nor deleted", async () => {
  const { page } = journey;
  await journey.owner.put("/v1/vars/SHARED", { value: "first" });
  await page.reload();
  await choose("SHARED", "Change");
  await dialog().getByLabel("Value").fill("mine");
  await journey.owner.put("/v1/vars/SHARED", { value: "theirs" });
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/Somebody has changed or deleted it meanwhile/).waitFor();
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await choose("SHARED", "Delete");
  // What is deleted is shown as it is now, whatever the list says.
  await dialog().getByText("theirs").waitFor();
  await journey.owner.put("/v1/vars/SHARED", { value: "theirs again" });
  await dialog().getByRole("button", { name: "Delete" }).click();
  await dialog().getByText(/this is what it is now/).waitFor();
  await dialog().getByText("theirs again").waitFor();
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Delete" }).click();
  await page.getByText("SHARED was deleted.").waitFor();
});

test("what is on its way, and what does not come, is told", async () => {
  await expectWaitingAndFailing(journey.page, "**/v1/vars", () => row("LIMITS").waitFor(), "forbidden");
});

test("who may only look sees all, and why nothing can be changed", async () => {
  await visitAs({ email: VIEWER, path: "/variables" }, async (page) => {
    await page.getByRole("row").filter({ hasText: "LIMITS" }).waitFor();
    await page.getByText("It takes an editor to change variables.").waitFor();
    expect(await page.getByRole("button", { name: "New variable" }).count()).toBe(0);
    await page.getByRole("button", { name: "Actions for LIMITS" }).click();
    for (const name of ["Change", "Delete"]) {
      expect(await page.getByRole("menuitem", { name }).getAttribute("aria-disabled")).toBe("true");
    }
    await page.keyboard.press("Escape");
    await expectAccessible(page);
  });
});

test("every page behaved", () => journey.browser.conduct.check());
