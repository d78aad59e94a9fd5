import { beforeEach, describe, expect, it, vi } from "vitest";
import { prefer, usePreferences } from "./preferences";

const USUAL = { zone: "local", density: "comfortable", keys: "on" };

beforeEach(() => {
  localStorage.clear();
  window.dispatchEvent(new StorageEvent("storage", { key: null }));
});

/** What a page that is opened now holds to. */
async function openAnew() {
  vi.resetModules();
  return (await import("./preferences")).usePreferences.getState();
}

describe("what somebody prefers", () => {
  it("is the usual where nothing was chosen", () => {
    expect(usePreferences.getState()).toEqual(USUAL);
  });

  it("holds at once, and for pages that are opened later", async () => {
    prefer("zone", "utc");
    prefer("density", "compact");
    prefer("keys", "off");
    const chosen = { zone: "utc", density: "compact", keys: "off" };
    expect(usePreferences.getState()).toEqual(chosen);
    expect(await openAnew()).toEqual(chosen);
    prefer("zone", "local");
    expect(await openAnew()).toEqual({ ...chosen, zone: "local" });
  });

  it("is the usual where something else is kept, or asked for", async () => {
    localStorage.setItem("flowforge.zone", "Europe/Berlin");
    expect(await openAnew()).toEqual(USUAL);
    prefer("zone", "utc");
    for (const none of ["Europe/Berlin", "constructor"]) prefer("zone", none);
    expect(usePreferences.getState()).toEqual(USUAL);
  });

  it("follows the other tabs", () => {
    localStorage.setItem("flowforge.density", "compact");
    window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.theme" }));
    expect(usePreferences.getState()).toEqual(USUAL);
    window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.density" }));
    expect(usePreferences.getState()).toEqual({ ...USUAL, density: "compact" });
  });

  it("holds for the page where nothing can be kept", () => {
    vi.stubGlobal("localStorage", {
      setItem: () => {
        throw new DOMException("switched off", "SecurityError");
      },
    });
    try {
      prefer("keys", "off");
    } finally {
      vi.unstubAllGlobals();
    }
    expect(usePreferences.getState().keys).toBe("off");
    expect(localStorage.getItem("flowforge.shortcuts")).toBeNull();
  });
});
