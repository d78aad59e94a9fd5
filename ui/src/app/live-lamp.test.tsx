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

/** The lamp with that word, whose name also tells what it does. */
const lamp = (word: string) => screen.getByRole("button", { name: new RegExp(`^${word} ?, pause live updates$`) });
const strip = () => screen.getByRole("status").textContent;

it("a press pauses live updates, and a strip says who did", () => {
  expect(strip()).toBe("");
  expect(lamp("Live").getAttribute("aria-pressed")).toBe("false");
  fireEvent.click(lamp("Live"));
  expect(lamp("Paused by you").getAttribute("aria-pressed")).toBe("true");
  expect(strip()).toMatch(/^You have paused live updates/);
  fireEvent.click(lamp("Paused by you"));
  expect(useLive.getState().status).toBe("connecting");
  expect(strip()).toBe("");
});

it("the strip lets them go on, and leaves the focus at the lamp", () => {
  fireEvent.click(lamp("Live"));
  screen.getByRole("button", { name: "Resume" }).focus();
  fireEvent.click(screen.getByRole("button", { name: "Resume" }));
  expect(document.activeElement).toBe(lamp("Connecting"));
});

it("they are paused as well while the connection is lost", () => {
  act(() => useLive.setState({ status: "paused", retryAt: Date.now() + 4_000 }));
  expect(strip()).toMatch(/^Live updates paused\./);
  fireEvent.click(lamp("Not live"));
  expect(useLive.getState()).toEqual({ status: "held", retryAt: undefined });
});
