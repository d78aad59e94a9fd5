import { renderHook } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { followDensity, useFoldingRowPixels, useRowPixels } from "./density";
import { prefer } from "./preferences";

afterEach(() => prefer("density", "comfortable"));

it("styles and lists hear of how high rows are, at first and when it is changed", () => {
  const row = () => document.documentElement.style.getPropertyValue("--row");
  const { result, rerender } = renderHook(() => ({ line: useRowPixels(), folding: useFoldingRowPixels() }));
  const stop = followDensity();
  try {
    expect(row()).toBe("40px");
    expect(result.current.line).toBe(40);
    const before = result.current.folding;
    prefer("density", "compact");
    rerender();
    expect(row()).toBe("32px");
    expect(result.current.line).toBe(32);
    expect(result.current.folding).toBeLessThan(before);
  } finally {
    stop();
  }
});
