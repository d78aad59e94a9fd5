import { type BrowserContextOptions, type Page, request } from "playwright-core";
import { type Opened, type Screen, URL_OF_PRODUCT, openBrowser } from "./browser.ts";
import { OWNER } from "./product.ts";

/** Says to the app that there may be a session in the cookie, as it does itself after a sign-in (lib/session.ts). */
const HINT = { name: "flowforge.signed-in", value: "yes" };

interface Visit {
  /** Who it is: the owner, unless somebody else is named. */
  email?: string;
  /** Where they go: the workspace that they are led to, unless another one is named. */
  workspace?: string;
  /** The page that is opened; left out: none yet. */
  path?: string;
  /** The zone of their clocks. */
  zone?: string;
  screen?: Screen | undefined;
}

/** Somebody in a browser of their own, who has signed in before, at a page. */
export async function openAs({ email = OWNER.email, workspace, path, zone, screen }: Visit = {}): Promise<Opened> {
  const opened = await openBrowser({ ...screen, zone, session: await sessionOf(email, workspace) });
  if (path !== undefined) await opened.page.goto(path);
  return opened;
}

/** Let somebody else do `work` in a browser of their own, whose pages behave as well. */
export async function visitAs(visit: Visit, work: (page: Page) => Promise<unknown>): Promise<void> {
  const visitor = await openAs(visit);
  try {
    await work(visitor.page);
    visitor.conduct.check();
  } finally {
    await visitor.close();
  }
}

/** What the browser of somebody keeps who has signed in, and has gone over to a workspace. */
async function sessionOf(email: string, workspace: string | undefined): Promise<NonNullable<BrowserContextOptions["storageState"]>> {
  const client = await request.newContext({
    baseURL: URL_OF_PRODUCT,
    extraHTTPHeaders: { "x-flowforge-session": "cookie" },
    failOnStatusCode: true,
  });
  try {
    const answer = await client.post("/v1/auth/login", { data: { email, password: OWNER.password } });
    if (workspace !== undefined) {
      const headers = { authorization: `Bearer ${((await answer.json()) as { access_token: string }).access_token}` };
      const { items } = (await (await client.get("/v1/workspaces", { headers })).json()) as { items: { id: string; name: string }[] };
      const workspace_id = items.find(({ name }) => name === workspace)?.id;
      await client.post("/v1/auth/switch", { headers, data: { workspace_id } });
    }
    const { cookies } = await client.storageState();
    return { cookies, origins: [{ origin: URL_OF_PRODUCT, localStorage: [HINT] }] };
  } finally {
    await client.dispose();
  }
}

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
  // There it leads to the workflows, be it from them: what is opened before they have come is left for them.
  await page.getByRole("heading", { name: "Workflows", exact: true }).waitFor();
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
