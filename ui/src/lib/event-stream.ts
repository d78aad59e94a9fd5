import { createParser } from "eventsource-parser";
import { authorizedFetch } from "./api";
import { onLeft, whenSeen } from "./attention";
import { onHeld, whenFree } from "./hold";
import { ApiProblem } from "./problem";
import { readProblem } from "./session";
import { onWake } from "./wake";

/** The server shows that it is alive every 15 s; after so much silence the connection is dead. */
const SILENCE_MS = 45_000;

export interface StreamEvent {
  id: string | undefined;
  event: string | undefined;
  data: string;
}

interface Reader {
  path: string;
  lastId: string | undefined;
  signal: AbortSignal;
  /** It is answered. */
  onOpen: () => void;
  /** Something came; be it only a sign of life. */
  onLife?: () => void;
  onEvents: (events: readonly StreamEvent[]) => void;
}

/** The connection was given up, since the machine has slept, nobody looked at the page, or somebody held it: try again at once. */
export class Woken extends Error {}

/**
 * Read a stream of the API until it ends, beginning when somebody looks at the page and nothing is held; false where the API says
 * that there is nothing more to follow.
 *
 * Raises ApiProblem, Unreachable, Woken, or AbortError: by the signal, or after too much silence.
 */
export async function readStream({ path, lastId, signal, onOpen, onLife, onEvents }: Reader): Promise<boolean> {
  await whenSeen(signal);
  await whenFree(signal);
  signal.throwIfAborted();
  const own = new AbortController();
  let isWoken = false;
  const give = () => own.abort();
  const giveForNow = () => {
    isWoken = true;
    give();
  };
  const stops = [onWake(giveForNow), onLeft(giveForNow), onHeld(giveForNow)];
  let silence = setTimeout(give, SILENCE_MS);
  try {
    const response = await authorizedFetch(
      new Request(new URL(path, location.origin), {
        headers: lastId === undefined ? {} : { "last-event-id": lastId },
        cache: "no-store",
        signal: AbortSignal.any([signal, own.signal]),
      }),
    );
    if (!response.ok) throw new ApiProblem(await readProblem(response), response);
    // It may have been given up in the moment in which it was answered.
    own.signal.throwIfAborted();
    onOpen();
    if (response.status === 204 || response.body === null) return false;
    let batch: StreamEvent[] = [];
    const parser = createParser({ onEvent: ({ id, event, data }) => batch.push({ id, event, data }) });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return true;
      clearTimeout(silence);
      silence = setTimeout(give, SILENCE_MS);
      onLife?.();
      parser.feed(decoder.decode(value, { stream: true }));
      const events = batch;
      batch = [];
      if (events.length > 0) onEvents(events);
    }
  } catch (error) {
    throw isWoken && !signal.aborted ? new Woken() : error;
  } finally {
    clearTimeout(silence);
    for (const stop of stops) stop();
  }
}

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

/** How long to wait before the next try, so many having failed: longer each time, and not all pages at once. */
export function delayOf(failures: number, error: unknown): number {
  const asked = error instanceof ApiProblem ? (error.retryAfter ?? 0) * 1000 : 0;
  return Math.max(asked, Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures) * (0.75 + Math.random() / 2));
}
