import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { prefer } from "@/lib/preferences";
import { ThroughputChart } from "./charts";
import { fillSlots } from "./slots";

afterEach(cleanup);

const SLOTS = fillSlots({ since: "2026-11-27T00:00:00Z", until: "2026-11-28T00:00:00Z", points: [] } as unknown as Parameters<typeof fillSlots>[0]);

it("the part of the time that the arrow keys have led to is chosen by Enter, and none before", () => {
  const onChoose = vi.fn();
  render(<ThroughputChart slots={SLOTS} onChoose={onChoose} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  fireEvent.keyDown(drawing, { key: "Enter" });
  expect(onChoose).not.toHaveBeenCalled();
  fireEvent.keyDown(drawing, { key: "ArrowLeft" });
  fireEvent.keyDown(drawing, { key: "ArrowLeft" });
  fireEvent.keyDown(drawing, { key: "Enter" });
  expect(onChoose.mock.calls).toEqual([[SLOTS.at(-2)]]);
});

it("a press chooses the part under the pointer", () => {
  const onChoose = vi.fn();
  render(<ThroughputChart slots={SLOTS} onChoose={onChoose} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  drawing.getBoundingClientRect = () => new DOMRect(0, 0, 480, 100);
  fireEvent.pointerMove(drawing, { clientX: 25 });
  fireEvent.click(drawing);
  expect(onChoose.mock.calls).toEqual([[SLOTS[2]]]);
});

it("a tap chooses the part under the finger, which has left by then", () => {
  const onChoose = vi.fn();
  render(<ThroughputChart slots={SLOTS} onChoose={onChoose} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  drawing.getBoundingClientRect = () => new DOMRect(0, 0, 480, 100);
  fireEvent.pointerDown(drawing, { clientX: 25 });
  fireEvent.pointerLeave(drawing);
  fireEvent.click(drawing, { clientX: 25, detail: 1 });
  expect(onChoose.mock.calls).toEqual([[SLOTS[2]]]);
});

it("what a finger has pointed at stays to be read once it has left, and what a mouse has does not", () => {
  render(<ThroughputChart slots={SLOTS} onChoose={() => undefined} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  drawing.getBoundingClientRect = () => new DOMRect(0, 0, 480, 100);
  fireEvent.pointerDown(drawing, { clientX: 25, pointerType: "touch" });
  fireEvent.pointerLeave(drawing, { pointerType: "touch" });
  expect(drawing.getAttribute("aria-valuenow")).toBe("3");
  fireEvent.pointerMove(drawing, { clientX: 45, pointerType: "mouse" });
  expect(drawing.getAttribute("aria-valuenow")).toBe("5");
  fireEvent.pointerLeave(drawing, { pointerType: "mouse" });
  expect(drawing.getAttribute("aria-valuetext")).toMatch(/^Arrow keys/);
});

it("a finger that scrolls past leaves nothing to be read", () => {
  render(<ThroughputChart slots={SLOTS} onChoose={() => undefined} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  drawing.getBoundingClientRect = () => new DOMRect(0, 0, 480, 100);
  fireEvent.pointerDown(drawing, { clientX: 25, pointerType: "touch" });
  expect(drawing.getAttribute("aria-valuenow")).toBe("3");
  fireEvent.pointerCancel(drawing, { pointerType: "touch" });
  fireEvent.pointerLeave(drawing, { pointerType: "touch" });
  expect(drawing.getAttribute("aria-valuetext")).toMatch(/^Arrow keys/);
});

it("parts of the time are told by the clocks that were chosen", () => {
  render(<ThroughputChart slots={SLOTS} onChoose={() => undefined} />);
  const drawing = screen.getByRole("slider", { name: "Runs over time" });
  fireEvent.keyDown(drawing, { key: "Home" });
  expect(drawing.getAttribute("aria-valuetext")).toMatch(/^27 Nov, 05:30 to 27 Nov, 06:00: /);
  act(() => prefer("zone", "utc"));
  expect(drawing.getAttribute("aria-valuetext")).toMatch(/^27 Nov, 00:00 UTC to 27 Nov, 00:30 UTC: /);
  act(() => prefer("zone", "local"));
});
