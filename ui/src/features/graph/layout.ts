import { LABEL_MARGIN, labelsOf, widthOf } from "./ports";

/** A step of a definition, as far as its place in the graph goes. */
export interface GraphStep {
  id: string;
  after?: readonly string[];
}

export interface Place {
  x: number;
  y: number;
  /** How many steps, at the most, lie before it. */
  rank: number;
  /** Where the tracks turn that come to it: right of there stand their labels. */
  turn: number;
}

export interface GraphEdge {
  source: string;
  target: string;
  /** The way out of the source; undefined for its success. */
  port: string | undefined;
}

export const NODE_WIDTH = 240;
export const NODE_HEIGHT = 56;
/** The least: labels that are longer move the steps of their column away. */
const GAP_X = 96;
const GRID = 16;
/** How far right of the steps before it a track turns. */
const TURN = 24;
const GAP_Y = 32;
const SWEEPS = 4;

/** What each step waits for, as edges; those to steps that are not there are left out. */
export function edgesOf(steps: readonly GraphStep[]): GraphEdge[] {
  const known = new Set(steps.map((step) => step.id));
  return steps.flatMap((step) =>
    (step.after ?? []).flatMap((entry) => {
      const [source = "", port] = entry.split(".", 2);
      return known.has(source) ? [{ source, target: step.id, port }] : [];
    }),
  );
}

/**
 * A layered layout from left to right: a step lies right of all it waits for, near the middle of them.
 *
 * Ranks by the longest way, order by barycentres: not the fewest crossings, but a thousand steps in milliseconds.
 */
export function layOut(ids: readonly string[], edges: readonly GraphEdge[]): Map<string, Place> {
  const before = group(edges, "target", "source");
  const after = group(edges, "source", "target");
  const ranks = rank(ids, before, after);
  const layers: string[][] = [];
  for (const id of ids) (layers[ranks.get(id) ?? 0] ??= []).push(id);
  const rows = new Map<string, number>();
  for (const layer of layers) number(layer, rows);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const layer of layers) order(layer, before, rows);
    for (const layer of layers.toReversed()) order(layer, after, rows);
  }
  return put(layers, edges);
}

/** The places of steps by their columns, between which there is room for the labels. */
function put(layers: readonly (readonly string[])[], edges: readonly GraphEdge[]): Map<string, Place> {
  const labels = labelsOf(edges);
  const places = new Map<string, Place>();
  let end = -GAP_X;
  layers.forEach((layer, rank) => {
    const widest = Math.max(0, ...layer.flatMap((id) => labels.get(id) ?? []).map(widthOf));
    // The corner of the track takes a margin, and the label one on either side.
    const x = end + Math.max(GAP_X, Math.ceil((TURN + widest + 3 * LABEL_MARGIN) / GRID) * GRID);
    const top = (-(layer.length - 1) / 2) * (NODE_HEIGHT + GAP_Y);
    layer.forEach((id, row) => places.set(id, { x, y: top + row * (NODE_HEIGHT + GAP_Y), rank, turn: end + TURN }));
    end = x + NODE_WIDTH;
  });
  return places;
}

/** Where an arrow key leads from a step: along the tracks, or to its neighbour above or below. */
export function walk(
  from: string,
  key: string,
  places: ReadonlyMap<string, Place>,
  edges: readonly GraphEdge[],
): string | undefined {
  const here = places.get(from);
  if (here === undefined) return places.keys().next().value;
  if (key === "ArrowRight") return edges.find((edge) => edge.source === from)?.target;
  if (key === "ArrowLeft") return edges.find((edge) => edge.target === from)?.source;
  const side = key === "ArrowDown" ? 1 : -1;
  let nearest: [string, number] | undefined;
  for (const [id, place] of places) {
    const distance = (place.y - here.y) * side;
    if (place.rank === here.rank && distance > 0 && (nearest === undefined || distance < nearest[1])) nearest = [id, distance];
  }
  return nearest?.[0];
}

function group(edges: readonly GraphEdge[], by: "source" | "target", other: "source" | "target"): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const edge of edges) {
    const known = groups.get(edge[by]);
    if (known === undefined) groups.set(edge[by], [edge[other]]);
    else known.push(edge[other]);
  }
  return groups;
}

function rank(ids: readonly string[], before: Map<string, string[]>, after: Map<string, string[]>): Map<string, number> {
  const open = new Map(ids.map((id) => [id, before.get(id)?.length ?? 0]));
  const ranks = new Map(ids.map((id) => [id, 0]));
  const ready = ids.filter((id) => open.get(id) === 0);
  for (let index = 0; index < ready.length; index += 1) {
    const id = ready[index] as string;
    for (const next of after.get(id) ?? []) {
      ranks.set(next, Math.max(ranks.get(next) ?? 0, (ranks.get(id) ?? 0) + 1));
      const left = (open.get(next) ?? 0) - 1;
      open.set(next, left);
      if (left === 0) ready.push(next);
    }
  }
  return ranks;
}

/** Note in `rows` where each step of a layer lies, counted from its middle. */
function number(layer: readonly string[], rows: Map<string, number>): void {
  layer.forEach((id, row) => rows.set(id, row - (layer.length - 1) / 2));
}

function order(layer: string[], neighbours: ReadonlyMap<string, string[]>, rows: Map<string, number>): void {
  const weight = new Map(
    layer.map((id) => {
      const near = neighbours.get(id) ?? [];
      const own = rows.get(id) ?? 0;
      return [id, near.length === 0 ? own : near.reduce((sum, one) => sum + (rows.get(one) ?? 0), 0) / near.length];
    }),
  );
  // The sort is stable: equals keep the order of the document.
  layer.sort((left, right) => (weight.get(left) ?? 0) - (weight.get(right) ?? 0));
  number(layer, rows);
}
