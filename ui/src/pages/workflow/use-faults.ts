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

interface Checked {
  faults: readonly LineFault[];
  isChecking: boolean;
  /** Why it could not be checked. */
  trouble: string | undefined;
}

/** Somebody who writes is not interrupted for every letter. */
const PAUSE_MS = 400;

/** Every fault of a definition as the API finds it, at its line. */
export function useFaults(text: string, format: Format): Checked {
  const [checked, setChecked] = useState<Checked>({ faults: [], isChecking: true, trouble: undefined });
  useEffect(() => {
    const controller = new AbortController();
    setChecked((before) => ({ ...before, isChecking: true }));
    const timer = setTimeout(() => {
      findFaults(text, format, controller.signal).then(
        (faults) => !controller.signal.aborted && setChecked({ faults, isChecking: false, trouble: undefined }),
        (error: unknown) => !controller.signal.aborted && setChecked({ faults: [], isChecking: false, trouble: describeError(error) }),
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [text, format]);
  return checked;
}

async function findFaults(text: string, format: Format, signal: AbortSignal): Promise<LineFault[]> {
  try {
    const { json, lines } = await readText(text, format);
    const problems = await validate(json, signal);
    return problems.map(({ pointer, message }) => ({ line: findNearest(lines, pointer) ?? 1, pointer, message }));
  } catch (error) {
    if (error instanceof TextFault) return [{ line: lineOf(text, error.offset), pointer: "", message: error.message }];
    throw error;
  }
}
