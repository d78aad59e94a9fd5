import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

interface Finding {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

/** Nothing on the page stands in the way of anybody, as far as axe can tell. */
export async function expectAccessible(page: Page): Promise<void> {
  // Run by the debugger and not as a script of the page, which the page's policy would refuse.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
  const findings = (await page.evaluate(
    (tags) =>
      (window as unknown as { axe: { run: (options: unknown) => Promise<{ violations: unknown[] }> } }).axe
        .run({ runOnly: tags })
        .then((result) => result.violations),
    TAGS,
  )) as Finding[];
  const told = findings.map(({ id, impact, nodes }) => ({
    id,
    impact,
    where: nodes.map((node) => `${node.html} – ${node.failureSummary}`),
  }));
  expect(told, `axe on ${page.url()}`).toEqual([]);
}
