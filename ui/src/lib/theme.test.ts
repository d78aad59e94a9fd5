import { afterEach, expect, it } from "vitest";
import { setTheme, useTheme } from "./theme";

afterEach(() => setTheme("system"));

/** What the page shows, and what is known to be chosen. */
function shown() {
  return [document.documentElement.dataset["theme"], useTheme.getState().theme];
}

it("a theme holds at once, and that of the system again", () => {
  setTheme("dark");
  expect(shown()).toEqual(["dark", "dark"]);
  setTheme("no such theme");
  expect(shown()).toEqual([undefined, "system"]);
});

it("a theme that is chosen in one tab holds in the others", () => {
  localStorage.setItem("flowforge.theme", "dark");
  window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.zone" }));
  expect(shown()).toEqual([undefined, "system"]);
  window.dispatchEvent(new StorageEvent("storage", { key: "flowforge.theme" }));
  expect(shown()).toEqual(["dark", "dark"]);
  localStorage.clear();
  window.dispatchEvent(new StorageEvent("storage", { key: null }));
  expect(shown()).toEqual([undefined, "system"]);
});
