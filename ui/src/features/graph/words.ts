import { type Mark, labelOf } from "./marks";

interface Told {
  id: string;
  type: string;
  name?: string | null;
}

/** "Charge the card, fail, step 3 of 5, failed, 12 ms": what is read out of a step that is come to; nothing where there is none. */
export function tellStep(steps: readonly Told[], id: string | undefined, mark: Mark | undefined): string {
  const at = steps.findIndex((step) => step.id === id);
  const step = steps[at];
  if (step === undefined) return "";
  const place = `step ${at + 1} of ${steps.length}`;
  return [step.name ?? step.id, step.type, place, labelOf(mark), mark?.right].filter((part) => part !== undefined).join(", ");
}
