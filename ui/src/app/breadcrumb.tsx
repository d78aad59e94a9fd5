import { Link, useRouterState } from "@tanstack/react-router";
import { classNames } from "@/lib/class-names";
import { usePageName } from "@/lib/page-title";
import { PAGES } from "./rail";

/** Where one is below a list, and the way up to it; nothing on the pages that the rail leads to. */
export function Breadcrumb({ className }: { className: string }) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const name = usePageName(path);
  const list = listAbove(path);
  if (list === undefined) return null;
  return (
    <nav aria-label="Breadcrumb" className={classNames("min-w-0", className)}>
      <ol className="flex items-center gap-2">
        <li className="flex-none">
          <Link to={list.to} className="flex min-h-6 items-center text-ink-2 hover:text-ink hover:underline">
            {list.label}
          </Link>
        </li>
        {name !== undefined && (
          <li className="flex min-w-0 items-center gap-2">
            <span aria-hidden="true" className="text-ink-3">
              /
            </span>
            <span aria-current="page" className="truncate">
              <bdi>{name}</bdi>
            </span>
          </li>
        )}
      </ol>
    </nav>
  );
}

/** The page that lists what this one shows one of. */
function listAbove(path: string): (typeof PAGES)[number] | undefined {
  const [, list, thing, ...rest] = path.split("/");
  return thing === undefined || thing === "" || rest.length > 0 ? undefined : PAGES.find(({ to }) => to === `/${list ?? ""}`);
}
