import type { Environment } from "vitest/runtime";
import { closeChromium } from "./chromium.ts";

/** Where journeys run: Node.js, and in the end the browser that they shared is closed. */
export default {
  name: "one-browser",
  viteEnvironment: "ssr",
  setup: () => ({ teardown: closeChromium }),
} satisfies Environment;
