import { useEffect, useRef } from "react";
import { create } from "zustand";

export interface Shortcut {
  /** As `KeyboardEvent.key` gives it. */
  key: string;
  /** What it does, as the help says it. */
  label: string;
  run: () => void;
}

const SWITCH = "flowforge.shortcuts";

interface State {
  isOn: boolean;
  active: readonly (readonly Shortcut[])[];
}

const useStore = create<State>(() => ({ isOn: read(), active: [] }));

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
  return useStore((state) => state.active).flat();
}

/** Whether shortcuts act, and the way to switch them. */
export function useShortcutSwitch(): [boolean, (isOn: boolean) => void] {
  return [useStore((state) => state.isOn), write];
}

/** Listen for the bound keys; called once, by the shell. */
export function listenForShortcuts(): () => void {
  const handle = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const { isOn, active } = useStore.getState();
    // Help answers even where shortcuts are off: it holds the switch.
    const found = active.flat().findLast((shortcut) => shortcut.key === event.key && (isOn || shortcut.key === "?"));
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

function read(): boolean {
  try {
    return localStorage.getItem(SWITCH) !== "off";
  } catch {
    return true;
  }
}

function write(isOn: boolean): void {
  try {
    localStorage.setItem(SWITCH, isOn ? "on" : "off");
  } catch {
    // Storage is switched off: the choice holds for this page.
  }
  useStore.setState({ isOn });
}
