import { writeSync } from "node:fs";
import { basename } from "node:path";
import type { Reporter, SerializedError, TestCase, TestModule } from "vitest/node";

/** What became of a journey. */
interface Told {
  /** The name of its file. */
  journey: string;
  seconds: number;
  hasPassed: boolean;
  /** What went wrong, for people. */
  faults: string[];
  /** The seconds of each of its tests, by their names. */
  tests: Record<string, number>;
}

/** Tells what became of each journey as soon as it is over: a line of JSON, into an open file. */
export class Teller implements Reporter {
  constructor(private readonly file: number) {}

  onTestModuleEnd(module: TestModule): void {
    const tests = [...module.children.allTests()];
    const told: Told = {
      journey: basename(module.moduleId),
      seconds: module.diagnostic().duration / 1000,
      hasPassed: module.state() === "passed",
      faults: [...module.errors().map((error) => describe("before or after its tests", error)), ...tests.flatMap(faultsOf)],
      tests: Object.fromEntries(tests.map((test) => [test.name, (test.diagnostic()?.duration ?? 0) / 1000])),
    };
    writeSync(this.file, `${JSON.stringify(told)}\n`);
  }
}

function faultsOf(test: TestCase): string[] {
  const { state, errors } = test.result();
  if (state === "failed") return errors.map((error) => describe(test.name, error));
  return state === "passed" ? [] : [`${test.name}: ${state}`];
}

function describe(where: string, { message, diff, stacks }: SerializedError): string {
  const [place] = (stacks ?? []) as { file: string; line: number }[];
  return [`${where}: ${message}`, diff ?? "", place === undefined ? "" : `at ${place.file}:${place.line}`].filter((line) => line !== "").join("\n");
}
