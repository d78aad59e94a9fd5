import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import type { Opened, Screen } from "./browser.ts";
import { openAs } from "./doors.ts";
import { Owner } from "./product.ts";

/** The owner in a browser, on a page of a workspace in which nothing else happens. */
export class Journey {
  browser!: Opened;
  owner!: Owner;

  get page(): Page {
    return this.browser.page;
  }

  readonly dialog = (): Locator => this.page.getByRole("dialog");

  /** The row of a table in which this stands. */
  readonly row = (text: string): Locator => this.page.getByRole("row").filter({ hasText: text });
}

interface Place {
  workspace: string;
  path: string;
  /** Somebody else who is in it, and may only look. */
  viewer?: string;
  screen?: Screen;
}

/** Have the browser opened before the tests of a file, and closed after them. */
export function journeyTo({ workspace, path, viewer, screen }: Place): Journey {
  const journey = new Journey();
  beforeAll(async () => {
    journey.owner = await Owner.inWorkspace(workspace);
    if (viewer !== undefined) await journey.owner.invite(viewer, "viewer");
    journey.browser = await openAs({ workspace, path, screen });
  });
  afterAll(() => journey.browser.close());
  return journey;
}
