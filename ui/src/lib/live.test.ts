import { focusManager } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LiveEvent, holdLive, keepLive, listen, resumeLive, retryNow, useLive } from "./live";
import { useSession } from "./session";

/** A server under the test's hand: each call of the stream is one of its connections. */
class Server {
  readonly calls: { lastId: string | null; signal: AbortSignal; stream: ReadableStreamDefaultController<Uint8Array> | undefined }[] = [];
  answer: () => Response | undefined = () => undefined;

  readonly fetch = (request: Request): Promise<Response> => {
    const call = { lastId: request.headers.get("last-event-id"), signal: request.signal, stream: undefined as never };
    this.calls.push(call);
    const given = this.answer();
    if (given !== undefined) return Promise.resolve(given);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        (call as { stream: unknown }).stream = controller;
      },
    });
    request.signal.addEventListener("abort", () => this.last.stream?.error(new DOMException("aborted", "AbortError")));
    return Promise.resolve(new Response(body, { status: 200 }));
  };

  get last() {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("nobody has called");
    return call;
  }

  say(text: string): Promise<unknown> {
    this.last.stream?.enqueue(new TextEncoder().encode(text));
    return vi.advanceTimersByTimeAsync(0);
  }
}

const event = (id: string, run: string) => `id: ${id}\nevent: run.started\ndata: ${JSON.stringify({ run_id: run, type: "run.started" })}\n\n`;

/** Whether somebody looks at the page, and the way to change that. */
function lookAtThePage(isSeen: boolean): (isSeen: boolean) => void {
  let state: DocumentVisibilityState = isSeen ? "visible" : "hidden";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(() => state);
  return (next) => {
    state = next ? "visible" : "hidden";
    document.dispatchEvent(new Event("visibilitychange"));
  };
}

let server: Server;
let heard: LiveEvent[];
let resets: number;
let stops: (() => void)[];

beforeEach(async () => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  useSession.setState({ status: "anonymous" });
  useLive.setState({ status: "connecting", retryAt: undefined });
  server = new Server();
  heard = [];
  resets = 0;
  vi.stubGlobal("fetch", server.fetch);
  const listening = listen(
    (events) => heard.push(...events),
    () => {
      resets += 1;
    },
  );
  stops = [listening, keepLive()];
  await vi.advanceTimersByTimeAsync(0);
  // What happened between the page's first look and the first connection.
  expect(resets).toBe(1);
  resets = 0;
});

afterEach(() => {
  for (const stop of stops) stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("the live stream", () => {
  it("tells what comes, also where it comes in pieces", async () => {
    await server.say(event("1-0", "a").slice(0, 20));
    expect(heard).toEqual([]);
    await server.say(event("1-0", "a").slice(20) + event("2-0", "b"));
    expect(heard.map((one) => one.run_id)).toEqual(["a", "b"]);
    expect(useLive.getState().status).toBe("open");
  });

  it("goes on where it broke off, and nothing is read anew", async () => {
    await server.say(event("7-0", "a"));
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(useLive.getState().status).toBe("paused");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.calls.map((call) => call.lastId)).toEqual([null, "7-0"]);
    expect(useLive.getState().status).toBe("open");
    expect(resets).toBe(0);
  });

  it("reads all anew where it does not know where to go on", async () => {
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.calls.length).toBe(2);
    expect(resets).toBe(1);
  });

  it("reads all anew where the server says that something was missed, or says what cannot be read", async () => {
    await server.say("event: reset\ndata: {}\n\n");
    expect(resets).toBe(1);
    await server.say(`id: 3-0\ndata: {broken\n\n${event("4-0", "b")}`);
    expect(resets).toBe(2);
    expect(heard.map((one) => one.run_id)).toEqual(["b"]);
    expect(server.calls.length).toBe(1);
  });

  it("waits longer after each failure, up to half a minute", async () => {
    server.answer = () => new Response("{}", { status: 503 });
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(0);
    const waits: number[] = [];
    for (let tries = 0; tries < 7; tries += 1) {
      const wait = (useLive.getState().retryAt ?? 0) - Date.now();
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("does not storm a server that takes every call and hangs up at once", async () => {
    server.answer = () => new Response(new ReadableStream({ start: (controller) => controller.close() }), { status: 200 });
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.calls.length).toBeLessThanOrEqual(7);
  });

  it("waits as long as the server asks for", async () => {
    server.answer = () => new Response("{}", { status: 503, headers: { "retry-after": "20" } });
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(1_000);
    expect((useLive.getState().retryAt ?? 0) - Date.now()).toBe(20_000);
  });

  it("tries at once where a person asks for it", async () => {
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(useLive.getState().status).toBe("paused");
    retryNow();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls.length).toBe(2);
    expect(useLive.getState().status).toBe("open");
  });

  it("gives up a connection on which nothing is heard any more", async () => {
    await server.say(": alive\n\n");
    await vi.advanceTimersByTimeAsync(44_000);
    await server.say(": alive\n\n");
    await vi.advanceTimersByTimeAsync(44_000);
    expect(server.calls.length).toBe(1);
    await vi.advanceTimersByTimeAsync(2_500);
    expect(server.calls.length).toBe(2);
  });

  it("connects anew after the machine has slept, at once and where it broke off", async () => {
    await server.say(event("9-0", "a"));
    vi.setSystemTime(Date.now() + 600_000);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(server.calls.map((call) => call.lastId)).toEqual([null, "9-0"]);
    expect(server.calls[0]?.signal.aborted).toBe(true);
    expect(useLive.getState().status).toBe("open");
  });

  it("lets go where nobody looks at the page, so that other tabs have connections, and goes on where it broke off", async () => {
    const look = lookAtThePage(true);
    await server.say(event("5-0", "a"));
    look(false);
    await vi.advanceTimersByTimeAsync(9_000);
    look(true);
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.calls[0]?.signal.aborted).toBe(false);
    look(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.calls[0]?.signal.aborted).toBe(true);
    expect(server.calls.length).toBe(1);
    look(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls.map((call) => call.lastId)).toEqual([null, "5-0"]);
    expect(useLive.getState().status).toBe("open");
    expect(resets).toBe(0);
  });

  it("of a page that is opened in the background begins when somebody looks", async () => {
    const look = lookAtThePage(false);
    stops.pop()?.();
    stops.push(keepLive());
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.calls.length).toBe(1);
    look(true);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls.length).toBe(2);
  });

  it("rests while a person holds it, and reads all anew once it may go on", async () => {
    await server.say(event("3-0", "a"));
    stops.push(resumeLive);
    holdLive();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(server.calls.length).toBe(1);
    expect(server.calls[0]?.signal.aborted).toBe(true);
    expect(useLive.getState()).toEqual({ status: "held", retryAt: undefined });
    expect([resets, focusManager.isFocused()]).toEqual([0, false]);
    resumeLive();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls.map((call) => call.lastId)).toEqual([null, null]);
    expect(useLive.getState().status).toBe("open");
    expect([resets, focusManager.isFocused()]).toEqual([1, true]);
  });

  it("tries no more once it is held while it was broken off", async () => {
    stops.push(resumeLive);
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(0);
    holdLive();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(server.calls.length).toBe(1);
    expect(useLive.getState().status).toBe("held");
  });

  it("ends with the session", async () => {
    server.answer = () => new Response("{}", { status: 401 });
    server.last.stream?.close();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.calls.length).toBe(2);
  });

  it("hears nothing more once nobody wants it", async () => {
    stops.pop()?.();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(server.calls[0]?.signal.aborted).toBe(true);
    expect(server.calls.length).toBe(1);
  });
});
