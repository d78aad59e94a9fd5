import type { Page } from "playwright-core";
import { expect } from "vitest";
import { expectAccessible } from "./axe.ts";

/** What is there is pressed within this; what is gone by itself is not waited for any longer. */
const PRESS_MS = 30_000;
const FAILURES = { offline: "No connection", forbidden: "Not for your role" } as const;

/**
 * How a page looks while its list is on its way, and where it does not come: `address` is the pattern of the call, `arrived` what
 * stands on the page once it has.
 */
export async function expectWaitingAndFailing(
  page: Page,
  address: string,
  arrived: () => Promise<unknown>,
  failure: keyof typeof FAILURES = "offline",
): Promise<void> {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.route(address, async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  await page.getByRole("status", { name: "Loading" }).first().waitFor();
  await expectAccessible(page);
  release();
  await arrived();
  await page.unroute(address);
  const document = { status: 403, code: "missing_permission", title: "Forbidden", detail: "Your role may not do this." };
  await page.route(address, (route) => (failure === "offline" ? route.abort() : route.fulfill({ status: 403, json: document })));
  await page.reload();
  await page.getByText(FAILURES[failure]).first().waitFor();
  await expectAccessible(page);
  await page.unroute(address);
  // Who is refused for their role would be refused again: that is no button's business.
  if (failure === "forbidden") {
    expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
    await page.reload();
  } else await tryAgain(page);
  await arrived();
}

/** Press the button of what could not be read. What asks every few seconds may have read it before anybody presses. */
export async function tryAgain(page: Page): Promise<void> {
  const button = page.getByRole("button", { name: "Try again" }).first();
  await button.click({ timeout: PRESS_MS }).catch(async (error: unknown) => {
    if (await button.isVisible()) throw error;
  });
}
