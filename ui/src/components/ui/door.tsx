import { type ReactNode, useEffect } from "react";
import { Mark } from "./icon";

/** The page around a form for somebody who is not in yet. */
export function Door({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
  }, [title]);
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-sm flex-col justify-center px-4 py-8">
      <div className="mb-6 flex items-center gap-2.5">
        <Mark size={32} />
        <span className="text-xl font-semibold">FlowForge</span>
      </div>
      <div className="rounded-dialog border border-line bg-surface p-6">
        <h1 className="text-xl font-semibold wrap-anywhere">{title}</h1>
        {lead !== undefined && <p className="mt-1 text-ink-2">{lead}</p>}
        {children}
      </div>
    </main>
  );
}

/** What is wrong with the whole form; it is read out when it comes. */
export function FormError({ children }: { children: ReactNode }) {
  return (
    // Beside the others while there is nothing in it, so that it takes no place between them.
    <div role="alert" className="empty:absolute">
      {children !== undefined && children !== "" && (
        <p className="rounded-control bg-failed-soft px-3 py-2 text-failed wrap-anywhere">{children}</p>
      )}
    </div>
  );
}
