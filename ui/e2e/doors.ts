import type { Page } from "playwright-core";
import { URL_OF_PRODUCT } from "./browser.ts";
import { OWNER } from "./product.ts";

/** Sign in by the form, as the owner unless somebody else is named. */
export async function signIn(page: Page, email: string = OWNER.email): Promise<void> {
  await page.goto("/signin");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(OWNER.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Dashboard", exact: true }).waitFor();
}

/** Go over to a workspace by the menu at the top, and open a page of it. */
export async function enter(page: Page, workspace: string, path: string): Promise<void> {
  await page.getByRole("button", { name: "Workspace:" }).click();
  await page.getByRole("menuitemradio", { name: workspace, exact: true }).click();
  await page.getByRole("button", { name: `Workspace: ${workspace}` }).waitFor();
  await page.goto(path);
}

/** Sign out by the menu. */
export async function signOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

/** Sign in as a program does; the status of the answer. */
export async function logIn(email: string, password: string): Promise<number> {
  const { status } = await fetch(`${URL_OF_PRODUCT}/v1/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  return status;
}

/** What a token or key is answered with. */
export async function statusOf(secret: string): Promise<number> {
  return (await fetch(`${URL_OF_PRODUCT}/v1/auth/me`, { headers: { authorization: `Bearer ${secret}` } })).status;
}
