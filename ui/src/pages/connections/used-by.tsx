import { useQuery } from "@tanstack/react-query";
import { type Use, connectionQuery } from "./api";

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
export function UseCount({ id }: { id: string }) {
  const { data, isError } = useQuery({ ...connectionQuery(id), staleTime: 30_000 });
  if (isError) return <span className="text-ink-3">unknown</span>;
  if (data === undefined) return <span className="text-ink-3">…</span>;
  const { length } = data.used_by;
  if (length === 0) return <span className="text-ink-3">Not used</span>;
  return <span title={data.used_by.map((use) => use.workflow_name).join(", ")}>{length === 1 ? "1 workflow" : `${length} workflows`}</span>;
}
