import { type ReactNode, useId } from "react";

/** A part of the settings: what it is about at the left, what can be done at the right. */
export function Section({ title, lead, children }: { title: string; lead?: string; children: ReactNode }) {
  const id = useId();
  return (
    <section
      aria-labelledby={id}
      className="grid gap-x-6 gap-y-3 rounded-control border border-line bg-surface p-4 md:grid-cols-[14rem_minmax(0,1fr)]"
    >
      <div>
        <h2 id={id} className="font-semibold">
          {title}
        </h2>
        {lead !== undefined && <p className="mt-1 text-ink-3">{lead}</p>}
      </div>
      <div className="min-w-0">{children}</div>
    </section>
  );
}
