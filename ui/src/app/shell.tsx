import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { keepLive, listen } from "@/lib/live";
import { meQuery } from "@/lib/me";
import { listenForShortcuts, useShortcuts } from "@/lib/shortcuts";
import { useIsWide } from "@/lib/use-is-wide";
import { AccountMenu } from "./account-menu";
import { Breadcrumb } from "./breadcrumb";
import { KeyboardHelp } from "./keyboard-help";
import { LiveLamp, LiveStrip } from "./live-lamp";
import { MeStrip } from "./me-strip";
import { Palette } from "./palette";
import { WhileHere } from "./move";
import { Rail } from "./rail";
import { ViewMenu } from "./view-menu";
import { WorkspaceMenu } from "./workspace-menu";

/** What follows runs, and the events that start them, by the first word of its key. */
const FOLLOWS_RUNS: readonly unknown[] = ["runs", "run", "run-events", "workflow", "workflows", "approvals", "stats", "events"];

/** Without it no page is live, and none has its buttons: where it cannot be read, it is asked for until it can. */
const ME_AGAIN_MS = 10_000;

/** Pages that one comes back to read anew what has happened meanwhile: they were not there to hear of it. */
function useStaleWhatIsNotSeen(): void {
  const queryClient = useQueryClient();
  useEffect(() => {
    const mark = () =>
      void queryClient.invalidateQueries({ type: "inactive", refetchType: "none", predicate: ({ queryKey }) => FOLLOWS_RUNS.includes(queryKey[0]) });
    return listen(mark, mark);
  }, [queryClient]);
}

/** What stands around every page of a signed-in person. */
export function Shell() {
  const me = useQuery({ ...meQuery, refetchInterval: ({ state }) => (state.status === "error" ? ME_AGAIN_MS : false) });
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const isWide = useIsWide();
  const workspaceId = me.data?.workspace.id;
  useEffect(listenForShortcuts, []);
  useEffect(() => (workspaceId === undefined ? undefined : keepLive()), [workspaceId]);
  useStaleWhatIsNotSeen();
  useShortcuts([{ key: "?", label: "Show this help", run: () => setIsHelpOpen(true) }]);
  return (
    <div className="flex min-h-dvh flex-col md:flex-row">
      <a
        href="#main"
        className="fixed top-2 left-2 z-50 -translate-y-16 rounded-control bg-primary px-3 py-1.5 text-on-primary focus:translate-y-0"
      >
        Skip to the page
      </a>
      <Rail />
      <div className="flex min-w-0 grow flex-col">
        <header className="sticky top-0 z-20 flex h-12 items-center gap-1 border-b border-line bg-surface px-3 md:px-4">
          <WorkspaceMenu />
          {isWide && <Breadcrumb className="border-l border-line pl-3" />}
          <div className="grow" />
          <Palette onHelp={() => setIsHelpOpen(true)} />
          <LiveLamp />
          <ViewMenu onHelp={() => setIsHelpOpen(true)} />
          <AccountMenu />
        </header>
        <LiveStrip />
        <MeStrip query={me} />
        {/* The bar of a small screen has no room for it. */}
        {!isWide && <Breadcrumb className="px-4 pt-3" />}
        <main id="main" tabIndex={-1} className="min-w-0 grow pb-20 md:pb-6">
          <WhileHere>
            <Outlet />
          </WhileHere>
        </main>
      </div>
      <KeyboardHelp isOpen={isHelpOpen} onClose={() => setIsHelpOpen(false)} />
    </div>
  );
}
