import type { Locator } from "playwright-core";
import { beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { journeyTo } from "./journey.ts";
import { expectReflow } from "./looks.ts";
import { takeShots } from "./shots.ts";

const PHONE = { width: 390, height: 844 };
/** The bars at the top and at the bottom. */
const BARS = { top: 48, bottom: 56 };
const WORDS = "It was declined, as it was before. ".repeat(80);

const journey = journeyTo({ workspace: "Small screens", path: "/runs" });
const say = (id: string, ...after: string[]) => ({ id, type: "transform", with: { values: { text: id } }, after });

let workflow: string;
let run: string;
beforeAll(async () => {
  const { owner } = journey;
  const steps = [say("read"), { id: "stop", type: "fail", with: { message: WORDS }, after: ["read"] }, say("never", "stop")];
  workflow = await owner.publish("Long stories", steps, { description: WORDS });
  run = await owner.start(workflow);
});

const more = () => journey.page.getByRole("button", { name: "Show all of it" });
const less = () => journey.page.getByRole("button", { name: "Show less" });
const heightOf = async (place: Locator) => (await place.boundingBox())?.height ?? 0;

test("what is told of a step comes into sight as it is pressed, and closing it leads back", async () => {
  const { page } = journey;
  await page.setViewportSize(PHONE);
  await page.goto(`/runs/${run}`);
  await page.locator("main").getByText("Failed", { exact: true }).first().waitFor();
  const told = page.locator("#inspected");
  const row = page.locator('[data-path="never"]');
  const expectInSight = async () => {
    await told.and(page.locator(":focus")).waitFor();
    const { y = 0, height = 0 } = (await told.boundingBox()) ?? {};
    expect(y).toBeGreaterThanOrEqual(BARS.top);
    expect(y + height).toBeLessThanOrEqual(PHONE.height - BARS.bottom);
  };
  // As far down as it can be: what is told stands below the screen.
  await row.evaluate((element, bar) => window.scrollBy(0, element.getBoundingClientRect().bottom - window.innerHeight + bar + 4), BARS.bottom);
  await row.click();
  await expectInSight();
  await page.getByRole("button", { name: "Close the step" }).press("Enter");
  await row.and(page.locator(":focus")).waitFor();
});

test("of a long error one sees how it begins, until one asks for the rest", async () => {
  const { page } = journey;
  await page.setViewportSize({ width: 320, height: 700 });
  await page.goto(`/runs/${run}?step=stop`);
  const errors = page.locator("p").filter({ hasText: /^It was declined/ });
  // By the title, and in what is told of the step.
  await errors.nth(1).waitFor();
  await more().nth(1).waitFor();
  for (const error of await errors.all()) expect(await heightOf(error)).toBeLessThan(200);
  await takeShots(page, "run-long-error");
  await expectAccessible(page);
  await expectReflow(page);
  await page.setViewportSize({ width: 320, height: 700 });
  await more().first().click();
  await less().waitFor();
  expect(await heightOf(errors.first())).toBeGreaterThan(1000);
  await less().click();
  await less().waitFor({ state: "detached" });
});

test("the data of an event is read to its end", async () => {
  const { page } = journey;
  await page.locator("summary").filter({ hasText: "Events" }).click();
  const row = page.getByRole("list", { name: "Events" }).getByRole("listitem").filter({ hasText: "It was declined" }).first();
  await row.getByRole("button", { name: "Show all of it" }).waitFor();
  const cut = await heightOf(row);
  await row.getByRole("button", { name: "Show all of it" }).click();
  await row.getByRole("button", { name: "Show less" }).waitFor();
  expect(await heightOf(row)).toBeGreaterThan(2 * cut);
  await expectAccessible(page);
});

test("a long description leaves the screen to what it describes", async () => {
  const { page } = journey;
  await page.goto(`/workflows/${workflow}`);
  await more().waitFor();
  expect(await heightOf(page.locator("p").filter({ hasText: /^It was declined/ }))).toBeLessThan(100);
  await more().click();
  await less().waitFor();
  await expectAccessible(page);
});

test("every page behaved", () => journey.browser.conduct.check());
