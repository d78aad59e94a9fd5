import type { Page } from "playwright-core";
import type { Content } from "./content.ts";

/** Before anybody has set the product up, without a session, and with one: in this order. */
export const STAGES = ["new", "outside", "inside"] as const;
export type Stage = (typeof STAGES)[number];

export interface Picture {
  /** The name of its files: `<name>-light.webp` and `<name>-dark.webp`. */
  name: string;
  path: (content: Content) => string;
  /** Left out: with a session. */
  stage?: Stage;
  /** Waits until the page shows what the picture is to show, and opens what it is to show open. */
  settle: (page: Page) => Promise<unknown>;
}

/** Every page that has a picture. A new page is one more line. */
export const PICTURES: readonly Picture[] = [
  {
    name: "setup",
    path: () => "/setup",
    stage: "new",
    settle: (page) => page.getByRole("heading", { name: "Set up FlowForge" }).waitFor(),
  },
  {
    name: "sign-in",
    path: () => "/signin",
    stage: "outside",
    settle: (page) => page.getByRole("heading", { name: "Sign in" }).waitFor(),
  },
  {
    name: "invitation",
    path: ({ invitation }) => `/invitation#${invitation}`,
    stage: "outside",
    settle: (page) => page.getByRole("heading", { name: "Join Main" }).waitFor(),
  },
  { name: "dashboard", path: () => "/", settle: (page) => page.getByRole("region", { name: "Accounted events" }).waitFor() },
  { name: "workflows", path: () => "/workflows", settle: (page) => page.getByText("Order fulfilment").first().waitFor() },
  { name: "workflow", path: ({ orders }) => `/workflows/${orders}`, settle: (page) => page.locator('[data-step="charge"]').waitFor() },
  {
    name: "workflow-triggers",
    path: ({ report }) => `/workflows/${report}?tab=triggers`,
    settle: (page) => page.getByText(/^Webhook/i).first().waitFor(),
  },
  { name: "runs", path: () => "/runs", settle: (page) => page.locator('[data-row="8"]').waitFor() },
  {
    name: "run",
    path: ({ failedRun }) => `/runs/${failedRun}?step=charge`,
    settle: async (page) => {
      await page.locator('[data-step="charge"]').waitFor();
      await page.getByRole("region", { name: "Charge the card" }).getByText("declined").first().waitFor();
    },
  },
  {
    name: "compare",
    path: ({ fineRun, failedRun }) => `/runs/compare?a=${fineRun}&b=${failedRun}`,
    settle: (page) => page.getByText("The first step that differs is").waitFor(),
  },
  {
    name: "events",
    path: () => "/events",
    settle: (page) => Promise.all(["Pending", "Rejected"].map((outcome) => page.getByRole("row").getByText(outcome, { exact: true }).waitFor())),
  },
  { name: "approvals", path: () => "/approvals", settle: (page) => page.getByText("A good customer").waitFor() },
  { name: "connections", path: () => "/connections", settle: (page) => page.getByText("Not used").waitFor() },
  {
    name: "connection",
    path: ({ connection }) => `/connections/${connection}`,
    settle: (page) => page.getByRole("heading", { name: "shop", exact: true }).waitFor(),
  },
  { name: "variables", path: () => "/variables", settle: (page) => page.getByText("greeting").waitFor() },
  { name: "members", path: () => "/members", settle: (page) => page.getByText("ada@example.com").waitFor() },
  { name: "api-keys", path: () => "/api-keys", settle: (page) => page.getByText("Nightly build").first().waitFor() },
  { name: "audit", path: () => "/audit", settle: (page) => page.locator("[data-seq]").first().waitFor() },
  { name: "operations", path: () => "/operations", settle: (page) => page.getByText("Every process is at work.").waitFor() },
  { name: "settings", path: () => "/settings", settle: (page) => page.getByText("this one").waitFor() },
];
