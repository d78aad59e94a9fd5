import type { Page } from "playwright-core";
import { OWNER } from "./product.ts";

/** Sign in by the form, as the owner unless somebody else is named. */
export async function signIn(page: Page, email: string = OWNER.email): Promise<void> {
  await page.goto("/signin");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Workflows", exact: true }).waitFor();
}
