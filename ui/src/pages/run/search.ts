/** The id of the heading above what is told of the chosen step. */
export const INSPECTED = "inspected";

/** What of a run is looked at; it lives in the address of the page. */
export interface RunSearch {
  step?: string;
}

/** What an address says. A step whose id looks like a number cannot be: ids begin with a letter. */
export function readRunSearch(search: Record<string, unknown>): RunSearch {
  const step = search["step"];
  return typeof step === "string" && step !== "" ? { step } : {};
}
