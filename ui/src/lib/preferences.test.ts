import { beforeEach, describe, expect, it, vi } from "vitest";
import { prefer, usePreferences } from "./preferences";

const FIRST = { zone: "local", density: "comfortable", keys: "on" };

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
  it("is the first of the choices where nothing was chosen", () => {
    expect(usePreferences.getState()).toEqual(FIRST);
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

  it("is the first of the choices where something else is kept, or asked for", async () => {
    localStorage.setItem("flowforge.zone", "Europe/Berlin");
    expect(await openAnew()).toEqual(FIRST);
    prefer("zone", "utc");
    prefer("zone", "Europe/Berlin");
    expect(usePreferences.getState()).toEqual(FIRST);
  });

  it("follows the other tabs", () => {
    localStorage.setItem("flowforge.density", "compact");
    window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.theme" }));
    expect(usePreferences.getState()).toEqual(FIRST);
    window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.density" }));
    expect(usePreferences.getState()).toEqual({ ...FIRST, density: "compact" });
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
