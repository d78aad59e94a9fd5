import { type ReactNode, useEffect } from "react";

/** The title of a page, in the page and in the tab, and what can be done on it. */
export function PageHeader({ title, children }: { title: string; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
  }, [title]);
  return (
    <div className="flex min-h-16 flex-wrap items-center justify-between gap-3 px-4 py-3 md:px-6">
      <h1 className="text-xl font-semibold">{title}</h1>
      {children !== undefined && <div className="flex flex-wrap items-center gap-2">{children}</div>}
    </div>
  );
}
