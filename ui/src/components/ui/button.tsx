import type { ComponentProps, ReactNode } from "react";
import { classNames } from "@/lib/class-names";
import { Icon, type IconName } from "./icon";

const KINDS = {
  primary: "bg-primary text-on-primary hover:opacity-90 font-semibold",
  secondary: "border border-line-strong bg-surface text-ink hover:bg-sunken",
  quiet: "text-ink-2 hover:bg-sunken hover:text-ink",
  danger: "border border-failed bg-surface text-failed hover:bg-failed-soft font-semibold",
} as const;

interface ButtonProps extends ComponentProps<"button"> {
  kind?: keyof typeof KINDS;
  icon?: IconName;
  /** What the button does is under way: it takes no second press, and says so. */
  isBusy?: boolean;
}

export function buttonClass(kind: keyof typeof KINDS = "secondary"): string {
  return classNames(
    "inline-flex h-8 shrink-0 items-center justify-center gap-2 rounded-control px-3 whitespace-nowrap",
    "transition-colors duration-120 disabled:opacity-50",
    KINDS[kind],
  );
}

/** A button with words. */
export function Button({ kind = "secondary", icon, isBusy = false, children, className, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      aria-busy={isBusy || undefined}
      disabled={rest.disabled === true || isBusy}
      className={classNames(buttonClass(kind), className)}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<"button">, "children"> {
  label: string;
  icon: IconName;
  children?: ReactNode;
}

/** A button with a picture alone; its words are read out, and shown when the pointer rests. */
export function IconButton({ label, icon, className, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      {...rest}
      className={classNames(
        "inline-flex size-8 shrink-0 items-center justify-center rounded-control text-ink-2",
        "transition-colors duration-120 hover:bg-sunken hover:text-ink disabled:opacity-50",
        className,
      )}
    >
      <Icon name={icon} />
    </button>
  );
}
