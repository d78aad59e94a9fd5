import { act, cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { resumeLive, useLive } from "@/lib/live";
import { LiveLamp, LiveStrip } from "./live-lamp";

beforeEach(() => {
  useLive.setState({ status: "open", retryAt: undefined });
  render(
    <>
      <LiveLamp />
      <LiveStrip />
    </>,
  );
});
afterEach(() => {
  cleanup();
  resumeLive();
});

const strip = () => screen.getByRole("status").textContent;

it("a press pauses live updates, and a strip says who did", () => {
  expect(strip()).toBe("");
  fireEvent.click(screen.getByRole("button", { name: "Live" }));
  expect(screen.getByRole("button", { name: "Paused by you" })).toBeTruthy();
  expect(strip()).toMatch(/^You have paused live updates/);
  fireEvent.click(screen.getByRole("button", { name: "Paused by you" }));
  expect(useLive.getState().status).toBe("connecting");
  expect(strip()).toBe("");
});

it("the strip lets them go on, and leaves the focus at the lamp", () => {
  fireEvent.click(screen.getByRole("button", { name: "Live" }));
  screen.getByRole("button", { name: "Resume" }).focus();
  fireEvent.click(screen.getByRole("button", { name: "Resume" }));
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Connecting" }));
});

it("they are paused as well while the connection is lost", () => {
  act(() => useLive.setState({ status: "paused", retryAt: Date.now() + 4_000 }));
  expect(strip()).toMatch(/^Live updates paused\./);
  fireEvent.click(screen.getByRole("button", { name: "Not live" }));
  expect(useLive.getState()).toEqual({ status: "held", retryAt: undefined });
});
