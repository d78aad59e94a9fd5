import { act, cleanup, render } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { prefer } from "@/lib/preferences";
import { Told } from "./told";

beforeEach(() => vi.useFakeTimers({ now: Date.parse("2026-11-27T17:32:00.000Z") }));
afterEach(() => {
  cleanup();
  prefer("zone", "local");
  vi.useRealTimers();
});

/** What is read of a sentence, and the times in it as they are marked up. */
function tell(sentence: string) {
  const { container } = render(<Told sentence={sentence} />);
  return { text: () => container.textContent, times: () => [...container.querySelectorAll("time")].map((time) => time.dateTime) };
}

it("a sentence tells its times by the clocks that are chosen", () => {
  const { text, times } = tell("It ran because 'a' succeeded. It waits until 2026-11-27T17:30:00.000Z.");
  expect(text()).toBe("It ran because 'a' succeeded. It waits until 23:00:00.");
  act(() => prefer("zone", "utc"));
  expect(text()).toBe("It ran because 'a' succeeded. It waits until 17:30:00 UTC.");
  expect(times()).toEqual(["2026-11-27T17:30:00.000Z"]);
});

it("each of several times is told", () => {
  const { text } = tell("The next one is due 2026-11-27T17:30:00.000Z, until 2026-11-27T17:31:00.000Z at the latest.");
  expect(text()).toBe("The next one is due 23:00:00, until 23:01:00 at the latest.");
});

it.each([
  ["no time", "It was skipped."],
  ["a time that is quoted of others", "Attempt 1 failed (the token ended 2026-11-27T17:30:00.000Z): it is tried again"],
  ["no known time", "It waits until at an unknown time."],
])("a sentence with %s stays as it is", (_, sentence) => {
  const { text, times } = tell(sentence);
  expect(text()).toBe(sentence);
  expect(times()).toEqual([]);
});
