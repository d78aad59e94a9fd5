import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Opened, openBrowser } from "../browser.ts";
import { signIn } from "../doors.ts";
import { type Content, furnish } from "./content.ts";
import { PICTURES, type Picture, STAGES, type Stage } from "./pages.ts";

/** `./flowforge ui pictures` runs this: every page in both themes, as files that a repository can carry. */
const FOLDER = process.env["E2E_PICTURES"] ?? "";
const LARGEST_BYTES = 60_000;
const QUALITIES = [80, 60, 40, 20];

let browser: Opened;
let content: Content;
beforeAll(async () => {
  browser = await openBrowser({ width: 1280, height: 800 });
});
afterAll(() => browser.close());

/** What has to be there before the pictures of a stage. */
const PREPARE = {
  new: async () => undefined,
  outside: async () => {
    content = await furnish();
  },
  inside: () => signIn(browser.page),
} satisfies Record<Stage, () => Promise<void>>;

describe.each(STAGES)("%s:", (stage) => {
  beforeAll(PREPARE[stage]);
  test.each(PICTURES.filter((picture) => (picture.stage ?? "inside") === stage))("$name has its pictures", take);
});

async function take({ name, path, settle, stage = "inside" }: Picture): Promise<void> {
  const { page } = browser;
  await page.goto(path(content));
  await settle(page);
  if (stage === "inside") await page.getByText("Live", { exact: true }).waitFor();
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    const picture = await takePicture(page);
    expect(picture.length).toBeLessThanOrEqual(LARGEST_BYTES);
    await writeFile(join(FOLDER, `${name}-${theme}.webp`), picture);
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}

/** The page as WebP, as good as fits. */
async function takePicture(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  let picture = Buffer.alloc(0);
  for (const quality of QUALITIES) {
    const { data } = await session.send("Page.captureScreenshot", { format: "webp", quality });
    picture = Buffer.from(data, "base64");
    if (picture.length <= LARGEST_BYTES) break;
  }
  await session.detach();
  return picture;
}
