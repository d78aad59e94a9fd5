import { useEffect, useRef } from "react";
import { create } from "zustand";
import { prefer, usePreferences } from "./preferences";

export interface Shortcut {
  /** As `KeyboardEvent.key` gives it. */
  key: string;
  /** What it does, as the help says it. */
  label: string;
  run: () => void;
}

interface State {
  active: readonly (readonly Shortcut[])[];
}

const useStore = create<State>(() => ({ active: [] }));

/** Bind keys while the component is there. They act only where nobody types, and may be switched off (WCAG 2.1.4). */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  useEffect(() => {
    const entry = latest.current.map(({ key, label }, index) => ({
      key,
      label,
      run: () => latest.current[index]?.run(),
    }));
    useStore.setState(({ active }) => ({ active: [...active, entry] }));
    return () => useStore.setState(({ active }) => ({ active: active.filter((one) => one !== entry) }));
  }, []);
}

/** Every shortcut that acts on this page, for the help. */
export function useActiveShortcuts(): readonly Shortcut[] {
  const [isOn] = useShortcutSwitch();
  return useStore((state) => state.active)
    .flat()
    .filter((shortcut) => isOn || !isSingle(shortcut));
}

/** Whether single keys act, and the way to switch them. */
export function useShortcutSwitch(): [boolean, (isOn: boolean) => void] {
  return [usePreferences((state) => state.keys === "on"), (isOn) => prefer("keys", isOn ? "on" : "off")];
}

/** A letter, a digit or a sign: who speaks to the machine, or whose hand slips, presses them unawares. */
function isSingle({ key }: Shortcut): boolean {
  return key.length === 1;
}

/** Listen for the bound keys; called once, by the shell. */
export function listenForShortcuts(): () => void {
  const handle = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const isOn = usePreferences.getState().keys === "on";
    const found = useStore
      .getState()
      .active.flat()
      .findLast((shortcut) => shortcut.key === event.key && (isOn || !isSingle(shortcut)));
    if (found === undefined) return;
    event.preventDefault();
    found.run();
  };
  window.addEventListener("keydown", handle);
  return () => window.removeEventListener("keydown", handle);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.closest("input, textarea, select, [role=dialog], [role=menu]") !== null)
  );
}
