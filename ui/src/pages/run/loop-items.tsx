import { useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Checkbox } from "@/components/ui/checkbox";
import { Select } from "@/components/ui/field";
import { Icon } from "@/components/ui/icon";
import { StatusBadge } from "@/components/ui/lamp";
import { ShowMore } from "@/components/ui/loaded";
import { Duration } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { type Item, type ItemFilter, type Step, itemsQuery } from "./api";

/** So many items are read at once. */
const PAGE = 50;

interface LoopItemsProps {
  runId: string;
  loop: Step;
  /** What is told of a step within an item. */
  detail: (step: Step) => ReactNode;
}

/** The items of a loop, each with its steps: from any of them on, or those alone that failed. */
export function LoopItems({ runId, loop, detail }: LoopItemsProps) {
  // Where the loop has failed, what people look for is the item that did.
  const [filter, setFilter] = useState<ItemFilter>(() => ({ from: 0, isFailed: loop.status === "failed" && (loop.items?.failed ?? 0) > 0 }));
  const query = useInfiniteQuery(itemsQuery(runId, loop.path, filter));
  const items = query.data?.pages.flatMap((page) => page.items);
  return (
    <div role="group" aria-label="Items" className="mt-4">
      <div className="mb-1 flex min-h-8 flex-wrap items-center gap-2">
        <h3 className="grow font-semibold">Items</h3>
        {loop.items !== null && <Choice counts={loop.items} filter={filter} onFilter={setFilter} />}
      </div>
      {query.isPending && <LoadingRows />}
      {items === undefined && query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {items?.length === 0 && <p className="text-ink-2">None.</p>}
      <ol className="divide-y divide-line">
        {items?.map((item) => (
          <li key={item.path}>
            <ItemView item={item} detail={detail} />
          </li>
        ))}
      </ol>
      <ShowMore key={`${loop.path} ${filter.from} ${filter.isFailed}`} query={query} of="items" />
    </div>
  );
}

interface ChoiceProps {
  counts: NonNullable<Step["items"]>;
  filter: ItemFilter;
  onFilter: (filter: ItemFilter) => void;
}

function Choice({ counts, filter, onFilter }: ChoiceProps) {
  const pages = Math.ceil(counts.total / PAGE);
  return (
    <>
      {(counts.failed > 0 || filter.isFailed) && (
        <Checkbox className="text-ink-2" isOn={filter.isFailed} onChange={(isFailed) => onFilter({ from: 0, isFailed })}>
          Only the {counts.failed} that failed
        </Checkbox>
      )}
      {pages > 1 && !filter.isFailed && (
        <Select label="Which items" value={filter.from} onChange={(event) => onFilter({ ...filter, from: Number(event.target.value) })}>
          {Array.from({ length: pages }, (_, page) => (
            <option key={page} value={page * PAGE}>
              from {page * PAGE}
            </option>
          ))}
        </Select>
      )}
      <span className="font-mono text-xs text-ink-3">
        {counts.done}/{counts.total}
      </span>
    </>
  );
}

function ItemView({ item, detail }: { item: Item; detail: LoopItemsProps["detail"] }) {
  return (
    <Fold
      summary={
        <>
          <StatusBadge status={item.status} />
          <span className="font-mono">{item.path}</span>
          <Duration from={item.started_at} to={item.finished_at} />
          {item.error !== null && <span dir="auto" className="line-clamp-2 text-left text-failed wrap-anywhere">{item.error.message}</span>}
        </>
      }
    >
      <div className="border-l border-line pb-3 pl-3">
        {item.steps.map((step) => (
          <Fold
            key={step.path}
            summary={
              <>
                <StatusBadge status={step.status} />
                <span className="wrap-anywhere">{step.name ?? step.id}</span>
                <span className="font-mono text-xs text-ink-3">{step.type}</span>
              </>
            }
          >
            {detail(step)}
          </Fold>
        ))}
      </div>
    </Fold>
  );
}

/** What is folded away is made when it is opened: fifty items have many values. */
function Fold({ summary, children }: { summary: ReactNode; children: ReactNode }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details onToggle={(event) => event.target === event.currentTarget && setIsOpen(event.currentTarget.open)}>
      <summary className="flex min-h-(--row) flex-wrap items-center gap-2 py-1">
        <span className={isOpen ? "rotate-180" : undefined}>
          <Icon name="down" />
        </span>
        {summary}
      </summary>
      {isOpen && children}
    </details>
  );
}
