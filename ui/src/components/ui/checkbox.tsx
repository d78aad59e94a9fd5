import type { ReactNode } from "react";
import { classNames } from "@/lib/class-names";

interface CheckboxProps {
  isOn: boolean;
  onChange: (isOn: boolean) => void;
  /** What holds while it is on. */
  children: ReactNode;
  className?: string;
  /** The id of what says more. */
  describedBy?: string;
}

/** A box with its words beside it: a press on either changes it, and a finger finds them. */
export function Checkbox({ isOn, onChange, children, className, describedBy }: CheckboxProps) {
  return (
    <label className={classNames("flex min-h-6 items-center gap-2", className)}>
      <input
        type="checkbox"
        checked={isOn}
        onChange={(event) => onChange(event.target.checked)}
        aria-describedby={describedBy}
        className="size-4 flex-none accent-ink"
      />
      {children}
    </label>
  );
}
