import { cleanup, fireEvent, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { prefer } from "./preferences";
import { listenForShortcuts, useActiveShortcuts, useShortcuts } from "./shortcuts";

const KEYS = ["j", "/", "?", "Escape"] as const;

let done: string[];
let stop: () => void;
beforeEach(() => {
  done = [];
  stop = listenForShortcuts();
  renderHook(() => useShortcuts(KEYS.map((key) => ({ key, label: key, run: () => done.push(key) }))));
});
afterEach(() => {
  stop();
  cleanup();
  prefer("keys", "on");
});

/** Press all of them; what the browser is kept from doing with. */
function pressAll(held: KeyboardEventInit = {}): string[] {
  return KEYS.filter((key) => !fireEvent.keyDown(document.body, { key, ...held }));
}

describe("bound keys", () => {
  it("act, and the help tells of them", () => {
    expect(pressAll()).toEqual(KEYS);
    expect(done).toEqual(KEYS);
    expect(renderHook(useActiveShortcuts).result.current.map(({ key }) => key)).toEqual(KEYS);
  });

  it("are the browser's where single ones are switched off, the key of the help among them; others act", () => {
    prefer("keys", "off");
    expect(pressAll()).toEqual(["Escape"]);
    expect(done).toEqual(["Escape"]);
    expect(renderHook(useActiveShortcuts).result.current.map(({ key }) => key)).toEqual(["Escape"]);
    prefer("keys", "on");
    expect(pressAll()).toEqual(KEYS);
  });

  it.each(["ctrlKey", "metaKey", "altKey"])("with %s are none of them", (held) => {
    expect(pressAll({ [held]: true })).toEqual([]);
    expect(done).toEqual([]);
  });

  it("do nothing where somebody types", () => {
    const field = document.body.appendChild(document.createElement("input"));
    const heard = vi.fn();
    field.addEventListener("keydown", heard);
    expect(fireEvent.keyDown(field, { key: "j" })).toBe(true);
    expect(heard).toHaveBeenCalledOnce();
    expect(done).toEqual([]);
    field.remove();
  });
});
