import { useCallback, useEffect, useState } from "react";
import { leadTo } from "./lost-focus";

interface Ways {
  /** Choose it, and go to what is told of it. */
  show: (name: string) => void;
  /** Choose it as somebody has pressed it, and go to what is told of it where that cannot be seen from here. */
  press: (name: string) => void;
}

/**
 * Choose something, of which is told below the heading with this id: it may stand far below, where nobody would see that it has come.
 *
 * `shown` is of what is told there.
 */
export function useShown(heading: string, shown: string | undefined, select: (name: string) => void): Ways {
  const [wanted, setWanted] = useState<{ name: string; isPressed: boolean }>();
  useEffect(() => {
    if (wanted === undefined || wanted.name !== shown) return;
    goTo(heading, wanted.isPressed);
    setWanted(undefined);
  }, [heading, wanted, shown]);
  const choose = useCallback(
    (name: string, isPressed: boolean) => {
      setWanted({ name, isPressed });
      select(name);
    },
    [select],
  );
  return {
    show: useCallback((name: string) => choose(name, false), [choose]),
    press: useCallback((name: string) => choose(name, true), [choose]),
  };
}

/** The focus goes along, so that keys go on there. What can be seen already is not moved. */
function goTo(id: string, isPressed: boolean): void {
  const heading = document.getElementById(id);
  const isSeen = heading !== null && isInSight(heading);
  if (isPressed && isSeen) return;
  leadTo(id);
  if (!isSeen) heading?.scrollIntoView({ block: "start" });
}

/** Whether it stands between the bars at the edges of the window, which `scroll-padding` is for. */
function isInSight(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  const { scrollPaddingTop, scrollPaddingBottom } = getComputedStyle(document.documentElement);
  return top >= pixelsOf(scrollPaddingTop) && bottom <= window.innerHeight - pixelsOf(scrollPaddingBottom);
}

function pixelsOf(length: string): number {
  const pixels = Number.parseFloat(length);
  return Number.isNaN(pixels) ? 0 : pixels;
}
