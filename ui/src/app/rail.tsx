import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { Icon, type IconName, Mark } from "@/components/ui/icon";
import { Menu, MenuItem } from "@/components/ui/menu";
import { classNames } from "@/lib/class-names";
import { type Permission, meQuery } from "@/lib/me";

interface Page {
  to: string;
  label: string;
  icon: IconName;
  isMain: boolean;
  /** Who lacks it is not led there. */
  permission?: Permission;
}

/** The pages that the rail leads to. On small screens those without `isMain` are behind "More": five fit. */
export const PAGES = [
  { to: "/", label: "Dashboard", icon: "dashboard", isMain: true },
  { to: "/workflows", label: "Workflows", icon: "workflows", isMain: true },
  { to: "/runs", label: "Runs", icon: "runs", isMain: true },
  { to: "/approvals", label: "Approvals", icon: "approvals", isMain: true },
  { to: "/events", label: "Events", icon: "events", isMain: false },
  { to: "/connections", label: "Connections", icon: "plug", isMain: false },
  { to: "/variables", label: "Variables", icon: "braces", isMain: false },
  { to: "/members", label: "Members", icon: "members", isMain: false },
  { to: "/settings", label: "Settings", icon: "settings", isMain: false },
  // What not everybody may see comes last, so that nothing moves when it appears.
  { to: "/api-keys", label: "API keys", icon: "key", isMain: false, permission: "api_keys:write" },
  { to: "/audit", label: "Audit log", icon: "audit", isMain: false, permission: "audit:read" },
  { to: "/operations", label: "Operations", icon: "operations", isMain: false, permission: "metrics:read" },
] as const satisfies readonly Page[];

/** The pages of this role. */
export function useMyPages() {
  const permissions = useQuery(meQuery).data?.permissions;
  return PAGES.filter((page) => !("permission" in page) || permissions?.includes(page.permission) === true);
}

type MyPages = ReturnType<typeof useMyPages>;

const ENTRY = "flex min-w-0 flex-1 flex-col items-center gap-1 rounded-control py-2 text-xs transition-colors duration-120 md:flex-none";
const HERE = "font-semibold text-ink md:bg-sunken";
const ELSEWHERE = "text-ink-2 hover:bg-sunken hover:text-ink";

/** The way to every page: at the side, or at the bottom of small screens. */
export function Rail() {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const pages = useMyPages();
  return (
    <nav
      aria-label="Pages"
      className="fixed inset-x-0 bottom-0 z-20 flex border-t border-line bg-surface md:sticky md:inset-auto md:top-0 md:h-dvh md:w-20 md:flex-none md:flex-col md:gap-1 md:overflow-y-auto md:border-t-0 md:border-r md:px-1.5 md:py-2"
    >
      <span className="hidden justify-center pt-1 pb-3 md:flex">
        <Mark size={28} />
      </span>
      {pages.map(({ to, label, icon, isMain }) => (
        <Link
          key={to}
          to={to}
          aria-current={isHere(path, to) ? "page" : undefined}
          className={classNames(ENTRY, isHere(path, to) ? HERE : ELSEWHERE, !isMain && "max-md:hidden")}
        >
          <Icon name={icon} size={20} />
          {label}
        </Link>
      ))}
      <More path={path} pages={pages} />
    </nav>
  );
}

function isHere(path: string, to: string): boolean {
  return path === to || path.startsWith(`${to}/`);
}

/** What does not fit at the bottom of a small screen. */
function More({ path, pages }: { path: string; pages: MyPages }) {
  const navigate = useNavigate();
  const others = pages.filter((page) => !page.isMain);
  return (
    <Menu
      trigger={
        <button
          type="button"
          className={classNames(ENTRY, others.some(({ to }) => isHere(path, to)) ? HERE : ELSEWHERE, "md:hidden")}
        >
          <Icon name="more" size={20} />
          More
        </button>
      }
    >
      {others.map(({ to, label, icon }) => (
        <MenuItem key={to} icon={icon} onSelect={() => void navigate({ to })}>
          {label}
        </MenuItem>
      ))}
    </Menu>
  );
}
