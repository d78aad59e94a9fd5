import { lazyRouteComponent } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { Unreachable } from "@/lib/problem";
import { isServed } from "@/lib/served";

type Page = () => ReactNode;

/**
 * A page whose part of the app comes once it is opened.
 *
 * Where it does not, the router loads all anew, since a newer app may be served. Where nobody serves any, that would leave nothing
 * at all: what is there stays, and it is said in the place of the page.
 */
export function lazyPage<Name extends string>(load: () => Promise<Record<Name, Page>>, name: Name) {
  const loadOrTell = async () => {
    try {
      return await load();
    } catch (error) {
      throw (await isServed()) ? error : new Unreachable(error);
    }
  };
  return lazyRouteComponent(loadOrTell, name);
}
