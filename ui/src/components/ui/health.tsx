import type { ReactNode } from "react";
import type { Tone } from "@/lib/status";
import { Lamp } from "./lamp";

/** How something does, at a glance: lines of which each has its lamp. It is read out when it changes. */
export function Health({ children }: { children: ReactNode }) {
  return (
    <div role="status" aria-label="Health" className="rounded-control border border-line bg-surface p-3">
      <ul className="flex flex-wrap gap-x-6 gap-y-1">{children}</ul>
    </div>
  );
}

/** One thing that is right, or is not. */
export function HealthLine({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <li className="flex min-w-0 items-start gap-2 wrap-anywhere">
      <span className="pt-0.5">
        <Lamp tone={tone} />
      </span>
      <span className="min-w-0">{children}</span>
    </li>
  );
}
