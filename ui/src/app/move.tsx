import type { QueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { flushSync } from "react-dom";
import { create } from "zustand";
import { LoadingRows } from "@/components/ui/states";
import { api, unwrap } from "@/lib/api";
import { acceptTokens } from "@/lib/session";

/** Whether somebody is on their way into another workspace. */
const useMove = create<{ isUnderWay: boolean }>(() => ({ isUnderWay: false }));

/**
 * Go into another workspace, and to the page that `arrive` leads to. Raises what the API refuses it with.
 *
 * The page goes first of all: it would ask for its own things once more, which are not there, and nothing of the one workspace may be
 * seen in the other for even a moment.
 */
export async function moveTo(workspaceId: string, queryClient: QueryClient, arrive: () => Promise<void>): Promise<void> {
  const tokens = await unwrap(api.POST("/v1/auth/switch", { body: { workspace_id: workspaceId } }));
  flushSync(() => useMove.setState({ isUnderWay: true }));
  try {
    acceptTokens(tokens);
    // What stands around the page is asked for at once, and not waited for; all else is forgotten.
    void queryClient.resetQueries();
    await arrive();
  } finally {
    useMove.setState({ isUnderWay: false });
  }
}

/** What is there in a workspace alone, and not on the way from one to another. */
export function WhileHere({ children }: { children: ReactNode }) {
  return useMove((move) => move.isUnderWay) ? <LoadingRows /> : children;
}
