import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { prefer } from "@/lib/preferences";
import { MomentField } from "./field";
import { Moment } from "./moment";

const AT = "2026-11-27T17:30:00.000Z";
const WHOLE = { local: /^Friday,? 27 November 2026 at 23:00:00 (?!UTC)/, utc: /^Friday,? 27 November 2026 at 17:30:00 UTC$/ };

beforeEach(() => vi.useFakeTimers({ now: Date.parse(AT) + 120_000 }));
afterEach(() => {
  cleanup();
  prefer("zone", "local");
  vi.useRealTimers();
});

it("a time is told by other clocks as soon as they are chosen", () => {
  render(<Moment at={AT} />);
  expect(screen.getByText("23:00:00").title).toMatch(WHOLE.local);
  act(() => prefer("zone", "utc"));
  expect(screen.getByText("17:30:00 UTC").title).toMatch(WHOLE.utc);
});

it("how long ago something was is the same by all clocks, but for its tooltip", () => {
  render(<Moment at={AT} isRelative />);
  act(() => prefer("zone", "utc"));
  expect(screen.getByText("2 min. ago").title).toMatch(WHOLE.utc);
});

it("a filter by a moment is typed by the clocks that times are told by", () => {
  const onMoment = vi.fn();
  render(<MomentField label="from" moment={AT} onMoment={onMoment} />);
  const field = () => screen.getByLabelText<HTMLInputElement>(/^from/);
  expect(field().value).toBe("2026-11-27T23:00");
  fireEvent.change(field(), { target: { value: "2026-11-27T23:45" } });
  expect(onMoment).toHaveBeenLastCalledWith("2026-11-27T18:15:00.000Z");
  act(() => field().focus());
  act(() => prefer("zone", "utc"));
  expect(screen.getByLabelText("from (UTC)")).toBe(field());
  expect(field().value).toBe("2026-11-27T17:30");
  fireEvent.change(field(), { target: { value: "2026-11-27T23:45" } });
  expect(onMoment).toHaveBeenLastCalledWith("2026-11-27T23:45:00.000Z");
});
