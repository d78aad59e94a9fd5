import type { GraphEdge } from "./layout";

/** What stands at a step above the tracks that come to it by ports. */
export interface PortLabel {
  /** As far as there is room. */
  text: string;
  /** All of it, where that is more. */
  whole: string | undefined;
}

/** A letter of the font that labels are written in. */
const LETTER_WIDTH = 7.2;
/** A name may have 63 letters: the steps would stand far apart. */
const MOST_LETTERS = 20;
/** Between a label and what stands beside it. */
export const LABEL_MARGIN = 8;

/** The labels by the steps at which they stand: one for all ports that lead to a step, since they would stand in the same place. */
export function labelsOf(edges: readonly GraphEdge[]): Map<string, PortLabel> {
  const ways = new Map<string, GraphEdge[]>();
  for (const edge of edges) {
    if (edge.port !== undefined) ways.set(edge.target, [...(ways.get(edge.target) ?? []), edge]);
  }
  return new Map([...ways].map(([target, found]) => [target, labelOf(found)]));
}

/** How much room a label takes up. */
export function widthOf({ text }: PortLabel): number {
  return text.length * LETTER_WIDTH;
}

function labelOf(ways: readonly GraphEdge[]): PortLabel {
  const names = [...new Set(ways.map(({ port }) => port))].join(", ");
  const text = names.length > MOST_LETTERS ? `${names.slice(0, MOST_LETTERS - 1)}…` : names;
  const isOne = ways.every(({ source }) => source === ways[0]?.source);
  const whole = isOne ? names : ways.map(({ source, port }) => `${source}.${port ?? ""}`).join(", ");
  return { text, whole: whole === text ? undefined : whole };
}
