import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRefresher } from "./refresher";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Work that takes so long, and notes when it began and how much of it went on at once at the most. */
function takes(milliseconds: number) {
  const told = { begun: [] as number[], atOnce: 0, most: 0 };
  const zero = Date.now();
  const work = () => {
    told.begun.push(Date.now() - zero);
    told.atOnce += 1;
    told.most = Math.max(told.most, told.atOnce);
    return new Promise((resolve) => setTimeout(resolve, milliseconds)).finally(() => {
      told.atOnce -= 1;
    });
  };
  return { told, work };
}

async function askEvery(milliseconds: number, ask: () => void, until: number): Promise<void> {
  for (let at = 0; at < until; at += milliseconds) {
    ask();
    await vi.advanceTimersByTimeAsync(milliseconds);
  }
}

describe("what is read anew as something happens", () => {
  it("is read once for all that happens meanwhile", async () => {
    const { told, work } = takes(0);
    const { ask } = createRefresher(work, 300);
    ask();
    ask();
    ask();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(told.begun).toEqual([300]);
  });

  it("is read to its end on a slow network, however much happens meanwhile", async () => {
    const { told, work } = takes(2_000);
    const { ask } = createRefresher(work, 300);
    await askEvery(100, ask, 10_000);
    expect(told.most).toBe(1);
    // Read, and rested from for as long.
    expect(told.begun).toEqual([300, 4_300, 8_300]);
  });

  it("is read once more where something happened while it was read", async () => {
    const { told, work } = takes(100);
    const { ask } = createRefresher(work, 300);
    ask();
    await vi.advanceTimersByTimeAsync(350);
    ask();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(told.begun).toEqual([300, 700]);
  });

  it("is read anew after an answer that never came, and after one that was a failure", async () => {
    let times = 0;
    const { ask } = createRefresher(() => {
      times += 1;
      return times === 1 ? new Promise(() => undefined) : Promise.reject(new Error("away"));
    }, 300);
    ask();
    await vi.advanceTimersByTimeAsync(500);
    ask();
    await vi.advanceTimersByTimeAsync(60_000);
    ask();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(times).toBe(3);
  });

  it("is read no more once nobody looks", async () => {
    const { told, work } = takes(100);
    const refresher = createRefresher(work, 300);
    refresher.ask();
    await vi.advanceTimersByTimeAsync(350);
    refresher.ask();
    refresher.stop();
    refresher.ask();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(told.begun).toEqual([300]);
  });
});
