import { afterAll, beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import type { Opened } from "./browser.ts";
import { openAs } from "./doors.ts";
import { Owner } from "./product.ts";

const MANY = 12;

let browser: Opened;
let owner: Owner;
let steady: string;
let broken: string;
beforeAll(async () => {
  owner = await Owner.signIn();
  steady = await owner.publish("Chosen", [{ id: "greet", type: "transform", with: { values: { text: "hello" } } }]);
  broken = await owner.publish("Left", [{ id: "stop", type: "fail", with: { message: "The card was declined" } }]);
  await Promise.all(Array.from({ length: MANY }, () => owner.start(steady)));
  await owner.start(broken);
  browser = await openAs({ path: "/runs" });
});
afterAll(() => browser.close());

test("each status tells how many runs it has under the other filters, as they happen", async () => {
  const { page } = browser;
  await page.goto(`/runs?workflow=${broken}&status=succeeded`);
  const chip = (name: string) => page.getByRole("button", { name, exact: true });
  await chip("Failed 1").waitFor();
  await chip("Succeeded 0").waitFor();
  await owner.start(broken);
  await chip("Failed 2").waitFor();
  await expectAccessible(page);
});

test("a stretch of runs is selected with Shift, by the pointer and by keys", async () => {
  const { page } = browser;
  await page.goto(`/runs?workflow=${steady}`);
  const box = (index: number) => page.locator(`[data-row="${index}"] input`);
  const many = page.getByRole("group", { name: "Many runs at once" });
  await box(1).click();
  await many.getByText("1 selected:").waitFor();
  await box(4).click({ modifiers: ["Shift"] });
  await many.getByText("4 selected:").waitFor();
  expect(await page.evaluate(() => getSelection()?.toString())).toBe("");
  await box(6).focus();
  await page.keyboard.press("Shift+Space");
  await many.getByText("6 selected:").waitFor();
  await page.locator('[data-row="8"] a').focus();
  await page.keyboard.press("Shift+X");
  await many.getByText("8 selected:").waitFor();
  await box(7).click({ modifiers: ["Shift"] });
  await many.getByText("6 selected:").waitFor();
  expect(await Promise.all([0, 1, 6, 7, 8, 9].map((index) => box(index).isChecked()))).toEqual([false, true, true, false, false, false]);
  await many.getByRole("button", { name: "Select none" }).click();
});

test("every page behaved", () => browser.conduct.check());
