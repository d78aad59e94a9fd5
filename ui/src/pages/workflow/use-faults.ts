import { useEffect, useState } from "react";
import { TextFault, findNearest, lineOf } from "@/lib/json-text";
import { describeError } from "@/lib/problem";
import { validate } from "./api";
import { type Format, readText } from "./texts";

/** What is wrong, and on which line of the text. */
export interface LineFault {
  line: number;
  pointer: string;
  message: string;
}

/** What is known of a text. */
export interface Checked {
  faults: readonly LineFault[];
  isChecking: boolean;
  /** Why it could not be checked. */
  trouble: string | undefined;
  /** It has comments, which are not saved with it. */
  hasComments: boolean;
}

/** Somebody who writes is not interrupted for every letter. */
const PAUSE_MS = 400;

/** Every fault of a definition as the API finds it, at its line. */
export function useFaults(text: string, format: Format): Checked {
  const [checked, setChecked] = useState<Checked>({ faults: [], isChecking: true, trouble: undefined, hasComments: false });
  useEffect(() => {
    const controller = new AbortController();
    setChecked((before) => ({ ...before, isChecking: true }));
    const timer = setTimeout(() => {
      findFaults(text, format, controller.signal).then(
        (found) => !controller.signal.aborted && setChecked({ ...found, isChecking: false, trouble: undefined }),
        (error: unknown) =>
          !controller.signal.aborted && setChecked((before) => ({ ...before, faults: [], isChecking: false, trouble: describeError(error) })),
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text, format]);
  return checked;
}

async function findFaults(text: string, format: Format, signal: AbortSignal): Promise<Pick<Checked, "faults" | "hasComments">> {
  try {
    const { json, lines, hasComments } = await readText(text, format);
    const problems = await validate(json, signal);
    const faults = problems.map(({ pointer, message }) => ({ line: findNearest(lines, pointer) ?? 1, pointer, message }));
    return { faults, hasComments };
  } catch (error) {
    if (error instanceof TextFault) {
      return { faults: [{ line: lineOf(text, error.offset), pointer: "", message: error.message }], hasComments: false };
    }
    throw error;
  }
}
