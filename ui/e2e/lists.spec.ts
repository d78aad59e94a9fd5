import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { PATIENCE_MS } from "./browser.ts";
import { journeyTo } from "./journey.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const ITEMS = 60;
const FAILURE = "There is more, which could not be read.";

const journey = journeyTo({ workspace: "Lists", path: "/workflows" });

/** The call for a page after the first one. */
const isNext = ({ pathname, searchParams }: URL) => pathname.startsWith("/v1/") && searchParams.has("cursor");

test("where the next page of a list does not come, its end says so, and asks for it again", async () => {
  const { page, owner } = journey;
  const step = { id: "double", type: "transform", with: { values: { twice: "{{ item * 2 }}" } } };
  const loop = await owner.publish("Many items", [{ id: "each", type: "foreach", with: { items: "input.items" }, steps: [step] }]);
  const run = await owner.start(loop, { items: Array.from({ length: ITEMS }, (_, index) => index) });
  const status = async () => (await owner.get<{ status: string }>(`/v1/runs/${run}`)).status;
  await expect.poll(status, { timeout: PATIENCE_MS }).toBe("succeeded");
  await page.goto(`/runs/${run}?step=each`);
  await page.locator("main").getByText("Succeeded", { exact: true }).first().waitFor();
  const items = page.getByRole("group", { name: "Items" });
  await page.route(isNext, (route) => route.abort());
  await items.getByRole("button", { name: "Show more items" }).click();
  await items.getByText(FAILURE).waitFor();
  // What is shown is as new as before.
  expect(await page.getByText("This may be old").count()).toBe(0);
  await takeShots(page, "items-failed");
  await expectAccessible(page);
  await page.unroute(isNext);
  await items.getByRole("button", { name: "Try again" }).click();
  await items.getByText(`each[${ITEMS - 1}]`, { exact: true }).waitFor();
  expect(await items.getByText(FAILURE).count()).toBe(0);
});

const PLACES: readonly { what: string; path: string; address: string; arrived: (page: Page) => Promise<unknown> }[] = [
  { what: "workflows", path: "/workflows", address: "**/v1/workflows?*", arrived: (page) => page.getByRole("link", { name: "Many items" }).waitFor() },
  { what: "API keys", path: "/api-keys", address: "**/v1/api-keys?*", arrived: (page) => page.getByRole("row").filter({ hasText: "Nightly" }).waitFor() },
  { what: "entries of the audit log", path: "/audit", address: "**/v1/audit?*", arrived: (page) => page.locator("[data-seq]").first().waitFor() },
  { what: "processes", path: "/operations", address: "**/v1/operations", arrived: (page) => page.getByRole("region", { name: "Processes" }).waitFor() },
];

test.each(PLACES)("$what that are on their way, or do not come, are told in their place", async ({ path, address, arrived }) => {
  const { page, owner } = journey;
  if (path === "/api-keys") await owner.post("/v1/api-keys", { name: "Nightly", role: "viewer" });
  await page.goto(path);
  await expectWaitingAndFailing(page, address, () => arrived(page));
});

test("every page behaved", () => journey.browser.conduct.check());
