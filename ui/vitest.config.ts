import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vite.config.ts";

// Before the first thread begins: half an hour beside all others, so that what is told by clocks here is never what UTC says.
process.env["TZ"] = "Asia/Kolkata";

export default mergeConfig(
  base,
  defineConfig({
    test: {
      environment: "happy-dom",
      include: ["src/**/*.test.{ts,tsx}"],
      testTimeout: 30_000,
      // Each file in a process of its own costs more than all of their tests.
      pool: "threads",
      isolate: false,
      maxWorkers: 1,
      restoreMocks: true,
    },
  }),
);
