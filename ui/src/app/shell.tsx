import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { Icon, type IconName, Mark } from "@/components/ui/icon";
import { classNames } from "@/lib/class-names";
import { keepLive } from "@/lib/live";
import { meQuery } from "@/lib/me";
import { listenForShortcuts, useShortcuts } from "@/lib/shortcuts";
import { AccountMenu } from "./account-menu";
import { KeyboardHelp } from "./keyboard-help";
import { LiveLamp, LiveStrip } from "./live-lamp";
import { ThemeMenu } from "./theme-menu";
import { WorkspaceMenu } from "./workspace-menu";

/** The pages that the rail leads to. */
const PAGES = [
  { to: "/workflows", label: "Workflows", icon: "workflows" },
  { to: "/runs", label: "Runs", icon: "runs" },
] as const satisfies readonly { to: string; label: string; icon: IconName }[];

/** What stands around every page of a signed-in person. */
export function Shell() {
  const me = useQuery(meQuery);
  const [isHelpOpen, setIsHelpOpen] = useState(false);
  const workspaceId = me.data?.workspace.id;
  useEffect(listenForShortcuts, []);
  useEffect(() => (workspaceId === undefined ? undefined : keepLive()), [workspaceId]);
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
          <div className="grow" />
          <LiveLamp />
          <ThemeMenu onHelp={() => setIsHelpOpen(true)} />
          <AccountMenu />
        </header>
        <LiveStrip />
        <main id="main" tabIndex={-1} className="min-w-0 grow pb-20 md:pb-6">
          <Outlet />
        </main>
      </div>
      <KeyboardHelp isOpen={isHelpOpen} onClose={() => setIsHelpOpen(false)} />
    </div>
  );
}

function Rail() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  return (
    <nav
      aria-label="Pages"
      className="fixed inset-x-0 bottom-0 z-20 flex justify-around border-t border-line bg-surface md:sticky md:inset-auto md:top-0 md:h-dvh md:w-19 md:flex-col md:justify-start md:gap-1 md:border-t-0 md:border-r md:px-1.5 md:py-2"
    >
      <span className="hidden justify-center pt-1 pb-3 md:flex">
        <Mark size={28} />
      </span>
      {PAGES.map(({ to, label, icon }) => (
        <Link
          key={to}
          to={to}
          aria-current={path.startsWith(to) ? "page" : undefined}
          className={classNames(
            "flex min-w-20 flex-col items-center gap-1 rounded-control py-2 text-xs transition-colors duration-120 md:min-w-0",
            path.startsWith(to) ? "font-semibold text-ink md:bg-sunken" : "text-ink-2 hover:bg-sunken hover:text-ink",
          )}
        >
          <Icon name={icon} size={20} />
          {label}
        </Link>
      ))}
    </nav>
  );
}
