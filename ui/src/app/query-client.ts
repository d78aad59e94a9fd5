import { QueryClient } from "@tanstack/react-query";
import { useHold } from "@/lib/hold";
import { isWorthRetrying } from "@/lib/problem";

const TRIES = 3;

/** What the server said, kept for all pages. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // The browser's guess whether it is online says nothing about a server on this machine.
      networkMode: "always",
      // While everything is held, another try would wait for the end of that, and the page say for as long that it is loading.
      retry: (count, error) => count + 1 < TRIES && isWorthRetrying(error) && !useHold.getState().isHeld,
    },
    // What was sent and answered may be a password or a key: it stays hardly longer than the form that it came from. With no time at
    // all, one that is under way when its form goes would be looked for without a pause until it ends.
    mutations: { networkMode: "always", gcTime: 1_000 },
  },
});
