import { type ReactNode, useState } from "react";
import { describeError } from "@/lib/problem";
import { type NextPage, type Paged, useNextPage } from "@/lib/use-next-page";
import { Button } from "./button";
import { Icon } from "./icon";
import { ErrorState, LoadingRows, isForbidden } from "./states";

/** As much of a query as this has to know. */
export interface Asked<Data> {
  data: Data | undefined;
  error: unknown;
  isPending: boolean;
  isFetching: boolean;
  /** What failed is the next page of a list alone: its end says so, and what is shown is not old. */
  isFetchNextPageError?: boolean;
  refetch: () => unknown;
}

interface LoadedProps<Data> {
  query: Asked<Data>;
  rows?: number;
  /** Where it stands for the whole page. */
  isPage?: boolean;
  /** Where one goes on from what is not there: a link. */
  way?: ReactNode;
  children: (data: Data) => ReactNode;
}

/**
 * What was asked for, or that it is on its way, or why it does not come.
 *
 * What was there stays where asking again fails: a line above it says that it is old.
 */
export function Loaded<Data>({ query, rows = 6, isPage = false, way, children }: LoadedProps<Data>) {
  const { data, error } = query;
  if (query.isPending) return <LoadingRows rows={rows} />;
  if (data === undefined) return <ErrorState isPage={isPage} way={way} error={error} onRetry={() => query.refetch()} />;
  return (
    <>
      <Stale query={query} />
      {children(data)}
    </>
  );
}

/** Says of what is shown that it could not be read anew; nothing where it could. */
export function Stale({ query: { error, isFetching, isFetchNextPageError = false, refetch } }: { query: Asked<unknown> }) {
  // While the rest is read anew, why the next page did not come is not known for what it is any more.
  const [ofNextPage, setOfNextPage] = useState<unknown>(null);
  if (isFetchNextPageError && error !== ofNextPage) setOfNextPage(error);
  if (error === null || isFetchNextPageError || error === ofNextPage) return null;
  return <Failure words="This may be old: it could not be read anew." error={error} isBusy={isFetching} onRetry={refetch} />;
}

/** Stands at the end of a list whose next page did not come; nothing where it did. */
export function MoreFailed({ failure }: Pick<NextPage, "failure">) {
  return failure !== undefined && <Failure words="There is more, which could not be read." {...failure} />;
}

interface FailureProps {
  words: string;
  error: unknown;
  isBusy: boolean;
  onRetry: () => unknown;
}

function Failure({ words, error, isBusy, onRetry }: FailureProps) {
  return (
    <div role="alert" className="mb-3 flex items-center gap-2 rounded-control border border-line-strong bg-surface py-1 pr-1 pl-3">
      <Icon name="warning" />
      <p className="min-w-0 grow wrap-anywhere">
        {words} {describeError(error)}
      </p>
      {!isForbidden(error) && (
        <Button kind="quiet" isBusy={isBusy} onClick={() => onRetry()}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Another list is another place in the page: its `ShowMore` has another key. */
const LIST = {};

interface MoreProps {
  query: Paged;
  /** More of what, where the page has several lists. */
  of?: string;
}

/** The way to the next page of a list, or why it did not come; nothing after the last one. */
export function ShowMore({ query, of }: MoreProps) {
  const { more, failure } = useNextPage(query, LIST);
  if (failure !== undefined) {
    return (
      <div className="py-4">
        <MoreFailed failure={failure} />
      </div>
    );
  }
  if (more === undefined) return null;
  return (
    <div className="flex justify-center py-4">
      <Button isBusy={query.isFetchingNextPage} onClick={more}>
        Show more{of !== undefined && ` ${of}`}
      </Button>
    </div>
  );
}
