import { QueryClient } from "@tanstack/react-query";
import { isWorthRetrying } from "@/lib/problem";

const TRIES = 3;

/** What the server said, kept for all pages. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // The browser's guess whether it is online says nothing about a server on this machine.
      networkMode: "always",
      retry: (count, error) => count + 1 < TRIES && isWorthRetrying(error),
    },
    mutations: { networkMode: "always" },
  },
});
