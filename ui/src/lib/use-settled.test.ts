import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { useSettledFilters, useSettledText } from "./use-settled";

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const rest = () =>
  act(() => {
    vi.advanceTimersByTime(1_000);
  });

describe("what is searched for", () => {
  it("counts once nobody types any more", () => {
    const typed: (string | undefined)[] = ["c", "ca", "car"];
    const { result, rerender } = renderHook(useSettledText, { initialProps: undefined as string | undefined });
    for (const text of typed) {
      rerender(text);
      expect(result.current).toBeUndefined();
    }
    rest();
    expect(result.current).toBe("car");
  });

  it("counts at once where the address has it, and where it is emptied", () => {
    const { result, rerender } = renderHook(useSettledText, { initialProps: "card" as string | undefined });
    expect(result.current).toBe("card");
    rerender(undefined);
    expect(result.current).toBeUndefined();
  });
});

describe("filters", () => {
  const none: { q?: string; status?: string } = {};

  it("stay the same object while somebody types", () => {
    const { result, rerender } = renderHook(useSettledFilters<typeof none>, { initialProps: none });
    rerender({ q: "c" });
    expect(result.current).toBe(none);
    const last = { q: "ca" };
    rerender(last);
    expect(result.current).toBe(none);
    rest();
    expect(result.current).toBe(last);
  });

  it("count at once in everything else, and where the search is emptied", () => {
    const { result, rerender } = renderHook(useSettledFilters<typeof none>, { initialProps: { q: "card" } as typeof none });
    const more = { q: "card", status: "failed" };
    rerender(more);
    expect(result.current).toBe(more);
    const emptied = { status: "failed" };
    rerender(emptied);
    expect(result.current).toBe(emptied);
  });
});
