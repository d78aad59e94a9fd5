import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { PATIENCE_MS } from "./browser.ts";
import { expectAccessible } from "./axe.ts";
import { journeyTo } from "./journey.ts";
import { expectAccessibleInBothThemes } from "./looks.ts";
import { takeShots } from "./shots.ts";

const journey = journeyTo({ workspace: "Graphs", path: "/workflows" });
const CASES = { large: "input.total > 1000", needs_a_second_look: "input.isOdd", orders_from_abroad_by_express: "input.isFar", gift: "input.isGift" };
/** From the nearest to the farthest, a graph is zoomed out by fewer. */
const MOST_PRESSES = 20;
const say = (id: string, ...after: string[]) => ({ id, type: "transform", with: { values: { text: id } }, after });
const STEPS = [
  { id: "route", name: "Which way?", type: "switch", with: { cases: CASES } },
  say("charge", "route.large"),
  say("look", "route.needs_a_second_look"),
  say("export", "route.orders_from_abroad_by_express"),
  say("wrap", "route.gift", "route.default"),
  say("mourn", "charge.error", "look.error"),
  say("close", "charge", "look"),
];

const focusedGraph = (page: Page) => page.locator("[data-graph] [role=group]:focus");

/** What touches what in the graph: labels, steps and tracks, by what they are called. */
function findTouching(): Promise<string[]> {
  return journey.page.evaluate(() => {
    const boxes = [...document.querySelectorAll("[data-step]")].map((step) => ({ name: step.getAttribute("data-step"), box: step.getBoundingClientRect() }));
    const points = [...document.querySelectorAll<SVGPathElement>("[data-from] path")].flatMap((path) => {
      const toScreen = path.getScreenCTM();
      const length = path.getTotalLength();
      return Array.from({ length: Math.ceil(length) }, (_, at) => path.getPointAtLength(at).matrixTransform(toScreen ?? undefined));
    });
    return [...document.querySelectorAll("[data-port]")].flatMap((label) => {
      const name = label.getAttribute("data-port") ?? "";
      const { left, right, top, bottom } = label.getBoundingClientRect();
      const steps = boxes.filter(({ box }) => box.left < right && left < box.right && box.top < bottom && top < box.bottom);
      const isOnTrack = points.some(({ x, y }) => left < x && x < right && top < y && y < bottom);
      return [...steps.map((step) => `${name} and ${step.name ?? ""}`), ...(isOnTrack ? [`${name} and a track`] : [])];
    });
  });
}

test("a graph of many ways is seen as a whole at first", async () => {
  const { page, owner } = journey;
  const id = await owner.publish("Orders of all kinds", STEPS);
  await page.goto(`/workflows/${id}`);
  for (const step of STEPS) await page.locator(`[data-step="${step.id}"]`).waitFor();
  const isWithin = () =>
    page.evaluate(() => {
      const all = document.querySelector("[data-graph]")?.getBoundingClientRect();
      return [...document.querySelectorAll("[data-step]")].every((step) => {
        const { top, bottom, left, right } = step.getBoundingClientRect();
        return all !== undefined && all.top <= top && bottom <= all.bottom && all.left <= left && right <= all.right;
      });
    });
  await expect.poll(isWithin, { timeout: PATIENCE_MS }).toBe(true);
});

test("names of ports of any length stand clear of steps and tracks", async () => {
  const { page } = journey;
  const names = await page.locator("[data-port]").evaluateAll((labels) => labels.map((label) => label.getAttribute("data-port")));
  expect(names.toSorted()).toEqual(["error", "gift, default", "large", "needs_a_second_look", "orders_from_abroad_…"]);
  expect(await findTouching()).toEqual([]);
  expect(await page.locator('[data-port^="orders"] title').textContent()).toBe("orders_from_abroad_by_express");
  await takeShots(page, "graph-ports");
  await expectAccessibleInBothThemes(page);
});

test("seen from far away, steps are outlines without words", async () => {
  const { page } = journey;
  const name = page.locator('[data-step="route"]').getByText("Which way?");
  await name.waitFor();
  for (let presses = 0; presses < MOST_PRESSES && (await name.isVisible()); presses += 1) {
    await page.getByRole("button", { name: "Zoom out" }).click();
  }
  await name.waitFor({ state: "hidden" });
  expect(await page.locator("[data-step]").count()).toBe(STEPS.length);
  await takeShots(page, "graph-far");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Fit" }).click();
  await name.waitFor();
});

test("keys lead from the graph to what is told of a step, and back", async () => {
  const { page } = journey;
  const graph = page.getByRole("group", { name: /^Graph/ });
  await graph.focus();
  await page.keyboard.press("ArrowRight");
  await graph.getByText("Which way?, switch, step 1 of 7, not begun").waitFor({ state: "attached" });
  await page.keyboard.press("Enter");
  await page.locator("#chosen-step:focus").waitFor();
  // Back at the node, from which arrows lead on; once more, and none is chosen.
  await page.keyboard.press("Escape");
  await focusedGraph(page).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("heading", { name: "charge", exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#chosen-step:focus").waitFor();
  await page.getByRole("button", { name: "Close the step" }).focus();
  await page.keyboard.press("Escape");
  await focusedGraph(page).waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("Choose a step to see how it is set up.").waitFor();
  await focusedGraph(page).waitFor();
});

test("a track tells how the step stands that it comes from", async () => {
  const { page, owner } = journey;
  const wait = { id: "hold", type: "wait", with: { signal: "go" } };
  const patient = await owner.publish("Tracks that wait", [wait, say("next", "hold")]);
  await page.goto(`/runs/${await owner.start(patient)}`);
  await page.locator('[data-from="hold"] path.stroke-waiting').waitFor({ state: "attached" });
  const trip = { id: "trip", type: "fail", with: { message: "no" } };
  // Where its failure is handled, the line goes on.
  const rescued = await owner.publish("Tracks that go on", [trip, say("rescue", "trip.error"), say("neither", "trip")]);
  await page.goto(`/runs/${await owner.start(rescued)}`);
  await page.locator('[data-from="trip"] path.stroke-failed').waitFor({ state: "attached" });
  expect(await page.locator("[data-end]").count()).toBe(0);
  const ended = await owner.publish("Tracks that end", [{ ...trip, id: "stop" }, say("never", "stop")]);
  await page.goto(`/runs/${await owner.start(ended)}`);
  await page.locator('[data-from="stop"] [data-end]').waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Show stop" }).click();
  await page.locator("#inspected:focus").waitFor();
  await page.keyboard.press("Escape");
  await page.locator('[data-path="stop"]').click();
  await page.locator('[data-path="stop"][aria-pressed="true"]').waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#inspected:focus").waitFor();
  await page.keyboard.press("Escape");
  await page.locator('[data-path="stop"][aria-pressed="true"]:focus').waitFor();
  await page.keyboard.press("g");
  await focusedGraph(page).waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#inspected:focus").waitFor();
  await page.keyboard.press("Escape");
  await focusedGraph(page).waitFor();
  await page.locator('[data-path="stop"][aria-pressed="true"]').waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("heading", { name: "The whole run" }).waitFor();
});

test("every page behaved", () => journey.browser.conduct.check());
