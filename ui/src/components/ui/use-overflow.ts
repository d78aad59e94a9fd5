import { useCallback, useState } from "react";

/** Whether a box holds more than it shows: what is beyond its edge cannot be seen. */
export function holdsMore(box: Element): boolean {
  // A pixel is what is lost by rounding.
  return box.scrollHeight > box.clientHeight + 1;
}

/** Whether the box that gets this ref holds more than it shows, at the size that it and what is in it have. */
export function useOverflow(): [ref: (box: HTMLElement | null) => (() => void) | undefined, isOverflowing: boolean] {
  const [isOverflowing, setIsOverflowing] = useState(false);
  const watch = useCallback((box: HTMLElement | null) => {
    if (box === null) return undefined;
    const observer = new ResizeObserver(() => setIsOverflowing(holdsMore(box)));
    for (const part of [box, ...box.children]) observer.observe(part);
    return () => observer.disconnect();
  }, []);
  return [watch, isOverflowing];
}
