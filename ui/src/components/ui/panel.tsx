import type { ReactNode } from "react";

interface PanelProps {
  id: string;
  title: string;
  children: ReactNode;
}

/** A titled part of a page. */
export function Panel({ id, title, children }: PanelProps) {
  return (
    <section aria-labelledby={id} className="min-w-0 rounded-control border border-line bg-surface p-3">
      <h2 id={id} className="mb-1 font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}

interface FigureProps {
  label: string;
  note: ReactNode;
  children: ReactNode;
}

/** A figure with what it counts, and what more there is to say of it: one of a list of such (`dl`). */
export function Figure({ label, note, children }: FigureProps) {
  return (
    <div className="flex min-w-0 flex-col rounded-control border border-line bg-surface p-3">
      <dt className="text-ink-2">{label}</dt>
      <dd className="font-mono text-xl">{children}</dd>
      <dd className="text-xs text-ink-3">{note}</dd>
    </div>
  );
}
