import { useQuery } from "@tanstack/react-query";
import { api, unwrap } from "@/lib/api";
import { VARIABLES } from "./api";

/** The workflows that read a variable, before it is deleted. */
export function UsedBy({ name }: { name: string }) {
  const query = useQuery({
    queryKey: [...VARIABLES, "one", name],
    queryFn: ({ signal }) => unwrap(api.GET("/v1/vars/{name}", { params: { path: { name } }, signal })),
    staleTime: 0,
  });
  const uses = query.data?.used_by;
  if (uses === undefined || query.isFetching) return null;
  if (uses.length === 0) return <p className="text-ink-2">No workflow names it.</p>;
  return (
    <div role="group" aria-label="Workflows that read it" className="rounded-control bg-failed-soft px-3 py-2 text-failed">
      <p>{uses.length === 1 ? "This workflow reads it:" : "These workflows read it:"}</p>
      <ul className="list-inside list-disc">
        {uses.map((use) => (
          <li key={use.workflow_id} className="wrap-anywhere">
            {use.workflow_name}
          </li>
        ))}
      </ul>
    </div>
  );
}
