import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useLive } from "@/lib/live";
import { MeStrip } from "./me-strip";

beforeEach(() => useLive.setState({ status: "open", retryAt: undefined }));
afterEach(cleanup);

function show(asked: { data?: unknown; error?: unknown }) {
  const refetch = vi.fn();
  render(<MeStrip query={{ data: undefined, error: null, isPending: false, isFetching: false, ...asked, refetch }} />);
  return refetch;
}

it("nothing is said where it is known who is signed in, or on its way", () => {
  show({ data: "me" });
  show({});
  expect(screen.queryByRole("alert")).toBeNull();
});

it("where it cannot be read it says why, and asks again", () => {
  const refetch = show({ error: new Error("It is away.") });
  expect(screen.getByRole("alert").textContent).toContain("What you may do here could not be read. It is away.");
  screen.getByRole("button", { name: "Try again" }).click();
  expect(refetch).toHaveBeenCalledOnce();
});

it("what is known and cannot be read anew is told, but not beside the strip that says that all is away", () => {
  const asked = { data: "me", error: new Error("It is away.") };
  show(asked);
  expect(screen.getByRole("alert").textContent).toContain("could not be read anew");
  cleanup();
  useLive.setState({ status: "paused" });
  show(asked);
  expect(screen.queryByRole("alert")).toBeNull();
});
