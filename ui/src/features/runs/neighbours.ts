import type { QueryClient } from "@tanstack/react-query";

interface Listed {
  pages?: readonly { items?: readonly { id: string }[] }[];
}

/** The run after another one, or before it with -1, in the list that a person has looked at last; undefined where it stands in none. */
export function neighbourOf(queryClient: QueryClient, id: string, by: 1 | -1): string | undefined {
  const lists = queryClient.getQueryCache().findAll({ queryKey: ["runs"] });
  lists.sort((one, other) => other.state.dataUpdatedAt - one.state.dataUpdatedAt);
  for (const list of lists) {
    const ids = (list.state.data as Listed | undefined)?.pages?.flatMap((page) => page.items?.map((run) => run.id) ?? []) ?? [];
    const at = ids.indexOf(id);
    if (at >= 0) return ids[at + by];
  }
  return undefined;
}
