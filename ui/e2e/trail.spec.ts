import { beforeAll, expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { journeyTo } from "./journey.ts";

const journey = journeyTo({ workspace: "Ways and traces", path: "/runs" });

let run: string;
beforeAll(async () => {
  const { owner } = journey;
  const step = { id: "read", type: "transform", with: { values: { total: 1 } } };
  run = await owner.start(await owner.publish("Traced orders", [step]));
});

async function open() {
  const { page } = journey;
  await page.goto(`/runs/${run}`);
  await page.locator("main").getByText("Succeeded", { exact: true }).first().waitFor();
}

test("the way up to the list stands at the top, on a small screen above the title", async () => {
  const { page } = journey;
  await open();
  const trail = page.getByRole("navigation", { name: "Breadcrumb" });
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await trail.getByText("Traced orders", { exact: true }).waitFor();
    await expectAccessible(page);
  }
  await trail.getByRole("link", { name: "Runs" }).click();
  await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
  expect(await trail.count()).toBe(0);
});

test("the trace of a run is copied, to be looked for elsewhere", async () => {
  const { page, owner } = journey;
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await open();
  await page.getByRole("button", { name: "Copy the trace id" }).click();
  await page.getByText("The trace id was copied.").waitFor();
  const { trace_id: trace } = await owner.get<{ trace_id: string }>(`/v1/runs/${run}`);
  expect(trace).toMatch(/^[0-9a-f]{32}$/);
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(trace);
});

test("every page behaved", () => journey.browser.conduct.check());
