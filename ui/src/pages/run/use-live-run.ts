import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { createParser } from "eventsource-parser";
import { useEffect, useRef, useState } from "react";
import { authorizedFetch } from "@/lib/api";
import { listen } from "@/lib/live";
import { ApiProblem } from "@/lib/problem";
import { readProblem } from "@/lib/session";
import { type EventPages, type Run, type RunEvent, appendEvent, eventsKey, runQuery } from "./api";

/** The run is read anew at most so often, however much happens. */
const PAUSE_MS = 300;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
/** The server shows that it is alive every 15 s. */
const SILENCE_MS = 45_000;

/**
 * Let a run follow its own stream for as long as it goes on; true while that is away and the run must be polled.
 *
 * A run that has ended may go on by a retry: the workspace's stream tells.
 */
export function useLiveRun(id: string, isOpen: boolean): boolean {
  const queryClient = useQueryClient();
  const [isAway, setIsAway] = useState(false);
  const wasOpen = useRef(false);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const refresh = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void queryClient.invalidateQueries({ queryKey: ["run", id] });
      }, PAUSE_MS);
    };
    const refreshAll = () => {
      refresh();
      void queryClient.invalidateQueries({ queryKey: eventsKey(id) });
    };
    const controller = new AbortController();
    const stop = listen((events) => events.some((event) => event.run_id === id) && refresh(), refreshAll);
    if (isOpen) void keepFollowing(queryClient, id, { refresh, refreshAll, setIsAway, signal: controller.signal });
    // Its end may have been read before its last events had come.
    else if (wasOpen.current) refreshAll();
    wasOpen.current = isOpen;
    return () => {
      controller.abort();
      stop();
      clearTimeout(timer);
    };
  }, [id, isOpen, queryClient]);
  return isAway && isOpen;
}

interface Following {
  refresh: () => void;
  refreshAll: () => void;
  setIsAway: (isAway: boolean) => void;
  signal: AbortSignal;
}

async function keepFollowing(queryClient: QueryClient, id: string, following: Following): Promise<void> {
  let lastSeq = queryClient.getQueryData(runQuery(id).queryKey)?.last_seq ?? 0;
  let delay = FIRST_DELAY_MS;
  const take = (seq: number | undefined, data: string) => {
    delay = FIRST_DELAY_MS;
    following.refresh();
    if (seq === undefined) {
      markStarted(queryClient, id, JSON.parse(data));
      return;
    }
    if (seq > lastSeq + 1) following.refreshAll();
    lastSeq = Math.max(lastSeq, seq);
    putEvent(queryClient, id, JSON.parse(data) as RunEvent);
  };
  while (!following.signal.aborted) {
    try {
      if (await follow(id, lastSeq, take, following)) return;
    } catch (error) {
      if (following.signal.aborted) return;
      if (error instanceof ApiProblem && error.status < 500 && error.status !== 429) return;
      following.setIsAway(true);
    }
    await new Promise((resolve) => setTimeout(resolve, delay));
    delay = Math.min(LONGEST_DELAY_MS, delay * 2);
  }
}

/** Read the run's stream; true once nothing can follow any more. */
async function follow(
  id: string,
  after: number,
  take: (seq: number | undefined, data: string) => void,
  { signal, setIsAway, refresh }: Following,
): Promise<boolean> {
  const quiet = new AbortController();
  const url = new URL(`/v1/runs/${id}/stream`, location.origin);
  const response = await authorizedFetch(
    new Request(url, {
      headers: { "last-event-id": String(after) },
      cache: "no-store",
      signal: AbortSignal.any([signal, quiet.signal]),
    }),
  );
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  setIsAway(false);
  if (response.status === 204 || response.body === null) {
    refresh();
    return true;
  }
  const parser = createParser({
    onEvent: ({ id: seq, data }) => data !== "" && take(seq === undefined ? undefined : Number(seq), data),
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const silence = setTimeout(() => quiet.abort(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return false;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

/** An attempt begins: told at once, and journalled only where it lasts. */
function markStarted(queryClient: QueryClient, id: string, hint: { event?: { step?: string; at?: string } }): void {
  queryClient.setQueryData<Run>(runQuery(id).queryKey, (run) =>
    run === undefined
      ? run
      : {
          ...run,
          steps: run.steps.map((step) =>
            step.path === hint.event?.step && (step.status === "pending" || step.status === "retrying")
              ? { ...step, status: "running", started_at: step.started_at ?? hint.event?.at ?? null }
              : step,
          ),
        },
  );
}

function putEvent(queryClient: QueryClient, id: string, event: RunEvent): void {
  const data = queryClient.getQueryData<EventPages>(eventsKey(id));
  if (data === undefined) return;
  const more = appendEvent(data, event);
  if (more === undefined) void queryClient.invalidateQueries({ queryKey: eventsKey(id) });
  else queryClient.setQueryData(eventsKey(id), more);
}
