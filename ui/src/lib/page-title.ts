import { useEffect } from "react";
import { create } from "zustand";

interface Named {
  title: string;
  /** How many times a page was named: the first one is read out by the browser itself. */
  times: number;
}

const useNamed = create<Named>(() => ({ title: "", times: 0 }));

/** Name the page in its tab, and for whoever does not see that another one has come. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
    useNamed.setState(({ times }) => ({ title, times: times + 1 }));
  }, [title]);
}

/** What is to be read out of the page that has come, if anything, and which time it is. */
export function useArrival(): Named {
  const title = useNamed((named) => (named.times > 1 ? named.title : ""));
  const times = useNamed((named) => named.times);
  return { title, times };
}
