import { basename } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { Teller } from "./e2e/told.ts";

/** The journeys that are asked for, in their order; else all. */
const JOURNEYS = process.env["E2E_JOURNEYS"]?.split(",");
/** The number of an open file that is told what becomes of each. */
const TOLD = process.env["E2E_TOLD"];

class AsAsked extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    if (JOURNEYS === undefined) return super.sort(files);
    const place = ({ moduleId }: TestSpecification) => JOURNEYS.indexOf(basename(moduleId));
    return files.toSorted((one, other) => place(one) - place(other));
  }
}

/** Journeys through a real product in a real browser; tests/ui starts both and says where they are. */
export default defineConfig({
  test: {
    include: JOURNEYS?.map((name) => `e2e/${name}`) ?? ["e2e/**/*.spec.ts"],
    environment: "./e2e/one-browser.ts",
    // What comes for certain is waited for with patience: how soon depends on who else is at work on the machine.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    // One after the other, in one process: they share its browser.
    pool: "threads",
    isolate: false,
    maxWorkers: 1,
    fileParallelism: false,
    sequence: { sequencer: AsAsked },
    bail: 0,
    reporters: TOLD === undefined ? ["default"] : ["default", new Teller(Number(TOLD))],
  },
});
