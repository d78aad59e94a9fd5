import type { Use } from "./api";

/** The workflows that name a connection, each with where. */
export function UseList({ uses }: { uses: readonly Use[] }) {
  return (
    <ul aria-label="Workflows that use it" className="divide-y divide-line">
      {uses.map((use) => (
        <li key={use.workflow_id} className="flex flex-wrap items-baseline justify-between gap-x-3 py-1.5">
          <span className="font-semibold wrap-anywhere">{use.workflow_name}</span>
          <span className="text-xs text-ink-3">{placeOf(use)}</span>
        </li>
      ))}
    </ul>
  );
}

function placeOf({ in_draft: inDraft, in_published: inPublished }: Use): string {
  if (inDraft && inPublished) return "published and in the draft";
  return inPublished ? "published" : "in the draft alone";
}

/** How many workflows name a connection, in a line of the list. */
export function UseCount({ count }: { count: number | null }) {
  if (count === null || count === 0) return <span className="text-ink-3">{count === null ? "unknown" : "Not used"}</span>;
  return <span>{count === 1 ? "1 workflow" : `${count} workflows`}</span>;
}
