import { useLayoutEffect } from "react";
import { create } from "zustand";

const useDialogs = create<{ open: number }>(() => ({ open: 0 }));

/** Count a dialog among those that are open, for as long as it is. */
export function useCounted(isOpen: boolean): void {
  useLayoutEffect(() => {
    if (!isOpen) return undefined;
    count(1);
    return () => count(-1);
  }, [isOpen]);
}

/** Whether somebody has a dialog before them, with what they have filled in there or are to read. */
export function useIsInDialog(): boolean {
  return useDialogs(({ open }) => open > 0);
}

function count(by: 1 | -1): void {
  useDialogs.setState(({ open }) => ({ open: open + by }));
}
