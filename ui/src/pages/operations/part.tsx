import type { ReactNode } from "react";
import { Icon } from "@/components/ui/icon";
import { type Asked, Stale } from "@/components/ui/loaded";
import { Panel } from "@/components/ui/panel";
import { LoadingRows } from "@/components/ui/states";
import { describeError } from "@/lib/problem";

interface PartProps<Data> {
  id: string;
  title: string;
  query: Asked<Data>;
  children: (data: Data) => ReactNode;
}

/** A panel of the page. What cannot be read has its place all the same, with the reason; it is asked for again by itself. */
export function Part<Data>({ id, title, query, children }: PartProps<Data>) {
  return (
    <Panel id={id} title={title}>
      {query.isPending && <LoadingRows rows={3} />}
      {query.data === undefined && !query.isPending && (
        <p role="alert" className="flex items-start gap-2 py-2 wrap-anywhere">
          <span className="pt-0.5">
            <Icon name="warning" size={14} />
          </span>
          This cannot be read. {describeError(query.error)}
        </p>
      )}
      {query.data !== undefined && (
        <>
          <Stale query={query} />
          {children(query.data)}
        </>
      )}
    </Panel>
  );
}
