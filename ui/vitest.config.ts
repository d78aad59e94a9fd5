import { defineConfig, mergeConfig } from "vitest/config";
import base from "./vite.config.ts";

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
