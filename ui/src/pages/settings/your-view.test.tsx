import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { prefer, usePreferences } from "@/lib/preferences";
import { setTheme, useTheme } from "@/lib/theme";
import { YourView } from "./your-view";

afterEach(() => {
  cleanup();
  setTheme("system");
  for (const name of ["zone", "density", "keys"] as const) prefer(name, "");
});

/** Choose in the list of choices that is called so. */
function choose(label: string, name: string): void {
  const list = screen.getByLabelText<HTMLSelectElement>(label);
  const value = [...list.options].find((option) => option.text === name)?.value;
  fireEvent.change(list, { target: { value } });
}

it("what is chosen holds at once, and is shown as chosen", () => {
  render(<YourView />);
  expect(screen.getByText(/^By the clock of this machine, Asia\//)).toBeTruthy();
  choose("Theme", "Dark");
  choose("Times", "UTC");
  choose("Rows of lists", "Compact");
  fireEvent.click(screen.getByLabelText("Single keys act on pages"));
  expect(useTheme.getState().theme).toBe("dark");
  expect(usePreferences.getState()).toEqual({ zone: "utc", density: "compact", keys: "off" });
  expect(screen.getByLabelText<HTMLSelectElement>("Times").selectedOptions[0]?.text).toBe("UTC");
  expect(screen.getByLabelText<HTMLSelectElement>("Rows of lists").selectedOptions[0]?.text).toBe("Compact");
  expect(screen.getByLabelText<HTMLInputElement>("Single keys act on pages").checked).toBe(false);
  expect(screen.getByText(/^Each is marked as UTC/)).toBeTruthy();
});
