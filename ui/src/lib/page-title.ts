import { useEffect } from "react";
import { create } from "zustand";

interface Named {
  title: string;
  /** What the page is called without how it stands, and the address that it has. */
  name: string;
  path: string;
  /** How many times a page was named: the first one is read out by the browser itself. */
  times: number;
}

const useNamed = create<Named>(() => ({ title: "", name: "", path: "", times: 0 }));

/**
 * Name the page in its tab, and for whoever does not see that another one has come.
 *
 * A passing name stands for one that is on its way, as that of a thing which is being loaded: only what it is called then is read
 * out, or a page would come twice. The title of a tab may say more than the name of its page.
 */
export function usePageTitle(title: string, isPassing = false, name = title): void {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
    if (!isPassing) useNamed.setState(({ times }) => ({ title, name, path: window.location.pathname, times: times + 1 }));
  }, [title, isPassing, name]);
}

/** What the page of this address is called; undefined until it has said so. */
export function usePageName(path: string): string | undefined {
  return useNamed((named) => (named.path === path ? named.name : undefined));
}

/** What is to be read out of the page that has come, if anything, and which time it is. */
export function useArrival(): Pick<Named, "title" | "times"> {
  const title = useNamed((named) => (named.times > 1 ? named.title : ""));
  const times = useNamed((named) => named.times);
  return { title, times };
}
