import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { noteServerTime, serverNow, useNow, useOwnNow } from "./clock";
import { setHeld } from "./hold";

const NOON = Date.parse("2026-11-27T12:00:00Z");
const at = (milliseconds: number) => new Date(milliseconds).toUTCString();

beforeEach(() => vi.useFakeTimers({ now: NOON }));
afterEach(() => {
  setHeld(false);
  noteServerTime(at(Date.now()));
  vi.useRealTimers();
});

describe("the clock of a page", () => {
  it("is this machine's own as long as the server's agrees", () => {
    noteServerTime(at(NOON + 3_000));
    expect(serverNow()).toBe(NOON);
    noteServerTime(null);
    noteServerTime("nonsense");
    expect(serverNow()).toBe(NOON);
  });

  it("follows the server's where this machine's is wrong, until it is put right", () => {
    noteServerTime(at(NOON - 300_000));
    expect(serverNow()).toBe(NOON - 300_000);
    noteServerTime(at(NOON));
    expect(serverNow()).toBe(NOON);
  });

  it("moves on once a second, and tells the right time at once after nobody has looked for an hour", () => {
    const first = renderHook(useNow);
    act(() => void vi.advanceTimersByTime(2_000));
    expect(first.result.current).toBe(NOON + 2_000);
    first.unmount();
    vi.advanceTimersByTime(3_600_000);
    const seen: number[] = [];
    const second = renderHook(() => {
      const now = useNow();
      seen.push(now);
      return now;
    });
    expect(second.result.current).toBe(NOON + 3_602_000);
    second.unmount();
  });

  it("stands still while everything is held, is right for who comes meanwhile, and goes on after", () => {
    const first = renderHook(useNow);
    act(() => setHeld(true));
    act(() => void vi.advanceTimersByTime(5_000));
    expect(first.result.current).toBe(NOON);
    const second = renderHook(useNow);
    expect(second.result.current).toBe(NOON + 5_000);
    expect(first.result.current).toBe(NOON);
    act(() => setHeld(false));
    act(() => void vi.advanceTimersByTime(1_000));
    expect([first.result.current, second.result.current]).toEqual([NOON + 6_000, NOON + 6_000]);
    first.unmount();
    second.unmount();
  });

  it("keeps the time for what this machine waits for apart", () => {
    noteServerTime(at(NOON + 300_000));
    const own = renderHook(useOwnNow);
    const server = renderHook(useNow);
    expect(server.result.current - own.result.current).toBe(300_000);
    own.unmount();
    server.unmount();
  });
});
