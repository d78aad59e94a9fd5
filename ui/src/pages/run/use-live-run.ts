import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type StreamEvent, Woken, delayOf, readStream } from "@/lib/event-stream";
import { readExact } from "@/lib/exact-json";
import { useHold } from "@/lib/hold";
import { listen } from "@/lib/live";
import { ApiProblem } from "@/lib/problem";
import { readAnew } from "@/lib/read-anew";
import { createRefresher } from "@/lib/refresher";
import { onWake } from "@/lib/wake";
import { type EventPages, type Run, type RunEvent, appendEvent, eventsKey, runQuery } from "./api";

/** The run is read anew at most so often, however much happens. */
const PAUSE_MS = 300;

/**
 * Let a run follow its own stream for as long as it goes on; true while that is away and the run must be polled.
 *
 * A run that has ended may go on by a retry: the workspace's stream tells.
 */
export function useLiveRun(id: string, isOpen: boolean): boolean {
  const queryClient = useQueryClient();
  const [isAway, setIsAway] = useState(false);
  const isHeld = useHold((state) => state.isHeld);
  const wasOpen = useRef(false);
  useEffect(() => {
    const refresher = createRefresher(() => readAnew(queryClient, ["run", id]), PAUSE_MS);
    const refresh = refresher.ask;
    const refreshAll = () => {
      refresh();
      void readAnew(queryClient, eventsKey(id));
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
      refresher.stop();
    };
  }, [id, isOpen, queryClient]);
  return isAway && isOpen && !isHeld;
}

interface Following {
  refresh: () => void;
  refreshAll: () => void;
  setIsAway: (isAway: boolean) => void;
  signal: AbortSignal;
}

async function keepFollowing(queryClient: QueryClient, id: string, following: Following): Promise<void> {
  const { signal, refresh, refreshAll, setIsAway } = following;
  let lastSeq = queryClient.getQueryData(runQuery(id).queryKey)?.last_seq ?? 0;
  let failures = 0;
  const take = ({ id: told, data }: StreamEvent) => {
    if (data === "") return;
    refresh();
    if (told === undefined) {
      markStarted(queryClient, id, JSON.parse(data));
      return;
    }
    const seq = Number(told);
    if (seq > lastSeq + 1) refreshAll();
    lastSeq = Math.max(lastSeq, seq);
    putEvent(queryClient, id, readExact(data) as RunEvent);
  };
  while (!signal.aborted) {
    let trouble: unknown;
    try {
      const path = `/v1/runs/${id}/stream`;
      const goesOn = await readStream({
        path,
        lastId: String(lastSeq),
        signal,
        onOpen: () => setIsAway(false),
        onLife: () => {
          failures = 0;
        },
        onEvents: (events) => events.forEach(take),
      });
      if (!goesOn) {
        refresh();
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Woken) continue;
      if (error instanceof ApiProblem && error.status < 500 && error.status !== 429) return;
      trouble = error;
      setIsAway(true);
    }
    await rest(delayOf(failures, trouble), signal);
    failures += 1;
  }
}

/** Wait for so long, or until the machine wakes up. */
function rest(delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      stop();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, delay);
    const stop = onWake(finish);
    signal.addEventListener("abort", finish);
  });
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
  if (more === undefined) void readAnew(queryClient, eventsKey(id));
  else queryClient.setQueryData(eventsKey(id), more);
}
