import { defineConfig } from "vitest/config";

/** Journeys through a real product in a real browser; tests/ui starts both and says where they are. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.spec.ts"],
    // What comes for certain is waited for with patience: how soon depends on who else is at work on the machine.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    fileParallelism: false,
    bail: 0,
    reporters: ["default"],
  },
});
