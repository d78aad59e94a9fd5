import { join } from "node:path";
import type { Page } from "playwright-core";

const LOOKS = [
  { theme: "light", width: 1440 },
  { theme: "dark", width: 1440 },
  { theme: "light", width: 390 },
  { theme: "dark", width: 390 },
] as const;

/** Pictures of the page as it stands, in both themes and both widths, where E2E_SHOTS names a folder for them. */
export async function takeShots(page: Page, name: string): Promise<void> {
  const folder = process.env["E2E_SHOTS"];
  if (folder === undefined) return;
  for (const { theme, width } of LOOKS) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(folder, `${name}-${theme}-${width}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize({ width: 1440, height: 900 });
}
