/** A row of two texts beside each other. Lines are counted from 1; a side that has none there is undefined. */
export interface DiffRow {
  kind: "same" | "changed";
  left: DiffLine | undefined;
  right: DiffLine | undefined;
}

export interface DiffLine {
  number: number;
  text: string;
}

/** Above so many pairs of lines, what lies between the first and the last difference counts as changed. */
const MOST_PAIRS = 4_000_000;

/** Which lines two texts have in common, in order: the longest such sequence, beside each other. */
export function diffLines(left: readonly string[], right: readonly string[]): DiffRow[] {
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const rows: DiffRow[] = [];
  const same = (from: number, to: number) => {
    rows.push({ kind: "same", left: lineAt(left, from), right: lineAt(right, to) });
  };
  for (let line = 0; line < start; line += 1) same(line, line);
  const [leftEnd, rightEnd] = [left.length - end, right.length - end];
  let [from, to] = [start, start];
  for (const [x, y] of common(left.slice(start, leftEnd), right.slice(start, rightEnd))) {
    pair(rows, left, right, [from, start + x], [to, start + y]);
    same(start + x, start + y);
    [from, to] = [start + x + 1, start + y + 1];
  }
  pair(rows, left, right, [from, leftEnd], [to, rightEnd]);
  for (let line = 0; line < end; line += 1) same(leftEnd + line, rightEnd + line);
  return rows;
}

/** The rows of a stretch in which nothing is the same. */
function pair(rows: DiffRow[], left: readonly string[], right: readonly string[], [from, fromEnd]: [number, number], [to, toEnd]: [number, number]): void {
  for (let step = 0; step < Math.max(fromEnd - from, toEnd - to); step += 1) {
    rows.push({
      kind: "changed",
      left: from + step < fromEnd ? lineAt(left, from + step) : undefined,
      right: to + step < toEnd ? lineAt(right, to + step) : undefined,
    });
  }
}

function lineAt(lines: readonly string[], index: number): DiffLine {
  return { number: index + 1, text: lines[index] ?? "" };
}

/** The pairs of a longest common subsequence. */
function common(left: readonly string[], right: readonly string[]): [number, number][] {
  const [rows, columns] = [left.length, right.length];
  if (rows === 0 || columns === 0 || rows * columns > MOST_PAIRS) return [];
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  const at = (row: number, column: number) => lengths[row * width + column] ?? 0;
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      lengths[row * width + column] =
        left[row] === right[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const pairs: [number, number][] = [];
  let [row, column] = [0, 0];
  while (row < rows && column < columns) {
    if (left[row] === right[column]) pairs.push([row++, column++]);
    else if (at(row + 1, column) >= at(row, column + 1)) row += 1;
    else column += 1;
  }
  return pairs;
}

/** Rows with what is the same left out, but for so many lines around each change; numbers say how many were left out. */
export function foldSame(rows: readonly DiffRow[], around: number): (DiffRow | number)[] {
  const near = new Uint8Array(rows.length);
  rows.forEach((row, index) => {
    if (row.kind !== "changed") return;
    near.fill(1, Math.max(0, index - around), index + around + 1);
  });
  const folded: (DiffRow | number)[] = [];
  rows.forEach((row, index) => {
    const last = folded.at(-1);
    if (near[index] === 1) folded.push(row);
    else if (typeof last === "number") folded[folded.length - 1] = last + 1;
    else folded.push(1);
  });
  return folded;
}
