import { useEffect } from "react";
import { create } from "zustand";

interface Named {
  title: string;
  /** How many times a page was named: the first one is read out by the browser itself. */
  times: number;
}

const useNamed = create<Named>(() => ({ title: "", times: 0 }));

/**
 * Name the page in its tab, and for whoever does not see that another one has come.
 *
 * A passing name stands for one that is on its way, as that of a thing which is being loaded: only what it is called then is read
 * out, or a page would come twice.
 */
export function usePageTitle(title: string, isPassing = false): void {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
    if (!isPassing) useNamed.setState(({ times }) => ({ title, times: times + 1 }));
  }, [title, isPassing]);
}

/** What is to be read out of the page that has come, if anything, and which time it is. */
export function useArrival(): Named {
  const title = useNamed((named) => (named.times > 1 ? named.title : ""));
  const times = useNamed((named) => named.times);
  return { title, times };
}
