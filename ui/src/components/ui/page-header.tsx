import type { ReactNode } from "react";
import { usePageTitle } from "@/lib/page-title";

interface HeaderProps {
  title: string;
  /** What the tab is called, and what is read out as often as it changes; left out, the title. */
  tab?: string;
  /** It stands for a name that is on its way: only that one is read out. */
  isPassing?: boolean;
  children?: ReactNode;
}

/** The title of a page, in the page and in the tab, and what can be done on it. */
export function PageHeader({ title, tab = title, isPassing = false, children }: HeaderProps) {
  usePageTitle(tab, isPassing, title);
  return (
    <div className="flex min-h-16 flex-wrap items-center justify-between gap-3 px-4 py-3 md:px-6">
      {/* A name may be long, without a space, and written from the right. */}
      <h1 dir="auto" className="min-w-0 flex-1 basis-48 text-left text-xl font-semibold wrap-anywhere">
        {title}
      </h1>
      {children !== undefined && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </div>
  );
}
