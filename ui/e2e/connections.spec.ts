import { expect, test } from "vitest";
import { expectAccessible } from "./axe.ts";
import { URL_OF_PRODUCT } from "./browser.ts";
import { visitAs } from "./doors.ts";
import { journeyTo } from "./journey.ts";
import { expectAccessibleInBothThemes, expectReflow } from "./looks.ts";
import { takeShots } from "./shots.ts";
import { expectWaitingAndFailing } from "./states.ts";

const WORKSPACE = "Connections";
const SECRET = "a-token-that-nobody-reads-again";
const VIEWER = "connections-viewer@example.com";

const journey = journeyTo({ workspace: WORKSPACE, path: "/connections", viewer: VIEWER });
const { dialog, row } = journey;

/** Open the form of a new connection, and wait for it. */
async function begin(name: string, type: string): Promise<void> {
  await journey.page.getByRole("button", { name: "New connection" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill(name);
  await dialog().getByLabel("Type").selectOption({ label: type });
}

test("that there are none is said, with what they are for", async () => {
  const { page } = journey;
  await page.getByText("No connections yet").waitFor();
  await takeShots(page, "connections-empty");
  await expectAccessible(page);
});

test("what is wrong stands at its field, and nothing is lost", async () => {
  const { page } = journey;
  await begin("shop", "Bearer token");
  await dialog().getByLabel("Token").fill(SECRET);
  await dialog().getByLabel("Allowed hosts").fill("api.shop.example\nhttps://not.a.host/path");
  await takeShots(page, "connections-form");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/A host is written like/).waitFor();
  await dialog().locator("textarea[aria-invalid=true]").waitFor();
  expect(await dialog().getByLabel("Token").inputValue()).toBe(SECRET);
  await expectAccessible(page);
});

test("a connection is made, and its secret is seen by nobody again", async () => {
  const { page } = journey;
  await dialog().getByLabel("Allowed hosts").fill("api.shop.example, *.shop.example");
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "shop", exact: true }).waitFor();
  await page.getByText("*.shop.example").waitFor();
  await page.getByText("No workflow names it.").waitFor();
  await page.getByText(/by Olga Owner/).first().waitFor();
  expect(await page.content()).not.toContain(SECRET);
  await page.getByRole("button", { name: "Change" }).click();
  await dialog().getByText("The secret stays as it is.").waitFor();
  expect(await page.content()).not.toContain(SECRET);
  await page.keyboard.press("Escape");
  await takeShots(page, "connection");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
});

test("a test tells what came of a real call", async () => {
  const { page } = journey;
  await page.getByLabel("Address to call").fill("https://elsewhere.example/");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await page.getByText("It does not work").waitFor();
  await page.getByText("host_not_allowed").waitFor();
  await page.getByLabel("Address to call").fill("no address");
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await page.getByLabel("Address to call").and(page.locator("[aria-invalid=true]")).waitFor();
  await takeShots(page, "connection-test");
  await expectAccessible(page);
});

test("a name that is taken is told", async () => {
  const { page } = journey;
  await page.goto("/connections");
  await begin("shop", "API key in a header");
  await dialog().getByLabel("Header", { exact: true }).fill("X-Api-Key");
  await dialog().getByLabel("Key", { exact: true }).fill("k");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText("There is another connection by the name 'shop'.").waitFor();
  await page.keyboard.press("Escape");
});

test("several headers are filled in row by row", async () => {
  const { page } = journey;
  await begin("partner", "Several headers");
  const line = (number: number) => dialog().getByRole("group", { name: `Header ${number}`, exact: true });
  await line(1).getByLabel("Header", { exact: true }).fill("X-One");
  await line(1).getByLabel("Value").fill("1");
  await dialog().getByRole("button", { name: "Another header" }).click();
  await line(2).getByLabel("Header", { exact: true }).fill("Accept");
  await line(2).getByLabel("Value").fill("2");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/follows every redirect/).waitFor();
  await line(2).getByLabel("Header", { exact: true }).fill("X-Two");
  await expectReflow(page);
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "partner", exact: true }).waitFor();
  await page.getByText("Any: editors can send the secret anywhere.").waitFor();
});

test("where one is used is told in the list, and before it is renamed or deleted", async () => {
  const { page } = journey;
  const name = "<b>Fetch orders</b>";
  const call = { method: "GET", url: "https://api.shop.example/orders", connection: "shop" };
  await journey.owner.publish(name, [{ id: "orders", type: "http", with: call }]);
  await page.goto("/connections");
  await row("shop").getByText("1 workflow").waitFor();
  await row("partner").getByText("Not used").waitFor();
  await takeShots(page, "connections");
  await expectAccessibleInBothThemes(page);
  await expectReflow(page);
  await page.getByRole("link", { name: "shop" }).click();
  await page.getByRole("list", { name: "Workflows that use it" }).getByText(name).waitFor();
  await page.getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Name", { exact: true }).fill("store");
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/would fail until they are changed/).waitFor();
  await dialog().getByRole("button", { name: "Rename it all the same" }).waitFor();
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await dialog().getByText(name).waitFor();
  await takeShots(page, "connection-delete");
  await expectAccessible(page);
  await dialog().getByRole("button", { name: "Keep it" }).click();
});

test("what somebody else has changed meanwhile is not overwritten", async () => {
  const { page } = journey;
  const id = new URL(page.url()).pathname.split("/").at(-1) ?? "";
  await page.getByRole("button", { name: "Change" }).click();
  await dialog().getByLabel("Allowed hosts").fill("mine.example");
  await journey.owner.patch(`/v1/connections/${id}`, { allowed_hosts: ["theirs.example"] });
  await dialog().getByRole("button", { name: "Save" }).click();
  await dialog().getByText(/Somebody has changed it meanwhile/).waitFor();
  await dialog().getByRole("button", { name: "Cancel" }).click();
  await page.reload();
  await page.getByText("theirs.example").first().waitFor();
});

test("by keys alone one is deleted, after it was asked for", async () => {
  const { page } = journey;
  await page.getByRole("button", { name: "Delete" }).focus();
  await page.keyboard.press("Enter");
  const sure = dialog().getByRole("button", { name: "Delete it all the same" });
  await sure.waitFor();
  await sure.focus();
  await page.keyboard.press("Enter");
  await page.getByText("shop was deleted, with its secret.").waitFor();
  await page.getByRole("heading", { name: "Connections" }).waitFor();
  await row("partner").waitFor();
  await row("shop").waitFor({ state: "detached" });
});

test("where a sign-in at another system is needed, one is led there and back, and told what came of it", async () => {
  const { page } = journey;
  await begin("drive", "OAuth 2.0 with a sign-in");
  // A page of the product itself stands for the other system: no request leaves the machine.
  await dialog().getByLabel("Sign-in address").fill(`${URL_OF_PRODUCT}/health/live`);
  await dialog().getByLabel("Token address").fill(`${URL_OF_PRODUCT}/token`);
  await dialog().getByLabel("Client id").fill("flow");
  await dialog().getByLabel("Client secret").fill(SECRET);
  await dialog().getByText(`${URL_OF_PRODUCT}/v1/connections/oauth/callback`).waitFor();
  await expectReflow(page);
  await dialog().getByRole("button", { name: "Save" }).click();
  await page.getByText(/^Nobody has signed in yet/).waitFor();
  await takeShots(page, "connection-sign-in");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(/\/health\/live\?.*state=/);
  const state = new URL(page.url()).searchParams.get("state") ?? "";
  await page.goto(`/v1/connections/oauth/callback?error=access_denied&state=${encodeURIComponent(state)}`);
  await page.getByText("The sign-in was cancelled at the other system.").waitFor();
  await row("drive").getByText("Sign-in needed").waitFor();
  await takeShots(page, "connections-outcome");
  await expectAccessible(page);
  await expectReflow(page);
  await page.getByRole("button", { name: "To the connection" }).click();
  await page.getByRole("heading", { name: "drive", exact: true }).waitFor();
  await page.goto("/connections");
});

test("what is on its way, and what does not come, is told", async () => {
  await expectWaitingAndFailing(journey.page, "**/v1/connections?*", () => row("partner").waitFor(), "forbidden");
});

test("who may only look sees all but secrets, and why nothing can be changed", async () => {
  await visitAs({ email: VIEWER, path: "/connections" }, async (page) => {
    await page.getByRole("row").filter({ hasText: "partner" }).waitFor();
    await page.getByText("It takes an admin to make and change connections.").waitFor();
    expect(await page.getByRole("button", { name: "New connection" }).count()).toBe(0);
    await page.getByRole("link", { name: "partner" }).click();
    await page.getByText("It takes an admin to change, test and delete it.").waitFor();
    for (const name of ["Change", "Delete", "Test"]) expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
    await takeShots(page, "connection-viewer");
    await expectAccessible(page);
  });
});

test("one that does not exist says so", async () => {
  const { page } = journey;
  await page.goto("/connections/01a21a4f-3d41-7000-8000-000000000001");
  await page.getByText("Not found").waitFor();
  await expectAccessible(page);
});

test("every page behaved", () => journey.browser.conduct.check());
