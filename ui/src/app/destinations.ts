import type { IconName } from "@/components/ui/icon";

/** Where one may go. */
export interface Destination {
  /** What tells it from the others, and names its entry in the page. */
  id: string;
  label: string;
  /** What it is, where the label alone does not tell. */
  kind?: string;
  icon: IconName;
  go: () => void;
}

/** Those whose label has all that is typed, the ones that begin with it first; all where nothing is typed. */
export function findDestinations(destinations: readonly Destination[], typed: string): readonly Destination[] {
  const words = typed.toLowerCase().split(/\s+/).filter((word) => word !== "");
  const found = destinations.filter(({ label }) => words.every((word) => label.toLowerCase().includes(word)));
  const [first] = words;
  if (first === undefined) return found;
  const begins = ({ label }: Destination) => label.toLowerCase().startsWith(first);
  return [...found.filter(begins), ...found.filter((one) => !begins(one))];
}

/** Which entry is meant after a key, of so many; the same one where the key leads nowhere. */
export function moveIn(count: number, at: number, key: string): number {
  if (count === 0) return 0;
  if (key === "ArrowDown") return (at + 1) % count;
  if (key === "ArrowUp") return (at + count - 1) % count;
  if (key === "Home") return 0;
  return key === "End" ? count - 1 : Math.min(at, count - 1);
}
