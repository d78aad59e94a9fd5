import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import { theChromium } from "./chromium.ts";

/** For what comes for certain. */
export const PATIENCE_MS = 60_000;

/** The product under test. */
export const URL_OF_PRODUCT = need("E2E_URL");

/** Where people may sign in for it, too: its pages are somebody else's, and none of ours to judge. */
export const PROVIDER = process.env["E2E_PROVIDER"];

/** What the tests are told of the product. */
export function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: ./flowforge test tests/ui runs these tests`);
  return value;
}

/** Whether it is a page of the provider's. */
function isElsewhere(address: string): boolean {
  return PROVIDER !== undefined && address.startsWith(`${PROVIDER}/`);
}

/** What a page must never do: it is looked at when the page is left. */
export class Conduct {
  readonly violations: string[] = [];
  readonly strangers: string[] = [];
  readonly errors: string[] = [];

  watch(context: BrowserContext): void {
    context.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (["data:", "blob:", "about:"].includes(protocol) || origin === URL_OF_PRODUCT) return;
      if (request.isNavigationRequest() ? origin === PROVIDER : isElsewhere(request.frame().url())) return;
      this.strangers.push(request.url());
    });
    context.on("weberror", (error) => this.errors.push(String(error.error())));
    context.on("console", (message) => {
      if (isElsewhere(message.page()?.url() ?? "")) return;
      if (/Content[- ]Security[- ]Policy/i.test(message.text())) this.violations.push(message.text());
    });
  }

  check(): void {
    expect(this.violations, "violations of the content security policy").toEqual([]);
    expect(this.strangers, "requests to other origins").toEqual([]);
    expect(this.errors, "errors that nothing caught").toEqual([]);
  }
}

export interface Opened {
  page: Page;
  context: BrowserContext;
  conduct: Conduct;
  close: () => Promise<void>;
}

/** What somebody looks at: left out, a large screen with a mouse. */
export interface Screen {
  width?: number;
  height?: number;
  /** Whether it is touched. */
  hasTouch?: boolean;
}

interface Look extends Screen {
  theme?: "light" | "dark";
  /** The zone of its clocks, like Asia/Kolkata; left out: that of the machine. */
  zone?: string | undefined;
  /** What a browser keeps of an earlier visit. */
  session?: NonNullable<BrowserContextOptions["storageState"]>;
}

/** A browser of the test's own, with nothing in it, or with a session alone: it shares its program with others, and no more. */
export async function openBrowser({ theme = "light", width = 1440, height = 900, hasTouch = false, zone, session }: Look = {}): Promise<Opened> {
  const browser = await theChromium(need("E2E_CHROMIUM"), 2 * PATIENCE_MS);
  const context = await browser.newContext({
    viewport: { width, height },
    hasTouch,
    colorScheme: theme,
    reducedMotion: "reduce",
    baseURL: URL_OF_PRODUCT,
    locale: "en-GB",
    ...(zone === undefined ? {} : { timezoneId: zone }),
    ...(session === undefined ? {} : { storageState: session }),
  });
  context.setDefaultTimeout(PATIENCE_MS);
  context.setDefaultNavigationTimeout(PATIENCE_MS);
  const conduct = new Conduct();
  conduct.watch(context);
  return { page: await context.newPage(), context, conduct, close: () => context.close() };
}
