import { type ComponentProps, useId } from "react";
import { classNames } from "@/lib/class-names";

const CONTROL =
  "h-8 rounded-control border border-line-strong bg-surface px-2.5 text-ink aria-invalid:border-failed disabled:opacity-50";

interface FieldProps extends ComponentProps<"input"> {
  label: string;
  hint?: string;
  error?: string | undefined;
}

/** A labelled input with what helps to fill it in, or what is wrong with it. */
export function Field({ label, hint, error, ...rest }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      <input
        id={id}
        {...rest}
        aria-invalid={error === undefined ? undefined : true}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
        className={`${CONTROL} w-full`}
      />
      {note !== undefined && (
        <p id={`${id}-note`} className={classNames("text-xs", error === undefined ? "text-ink-3" : "text-failed")}>
          {note}
        </p>
      )}
    </div>
  );
}

interface SelectProps extends ComponentProps<"select"> {
  label: string;
}

/** The browser's own select: it works with every keyboard, reader and phone. Its label is read out alone. */
export function Select({ label, className, ...rest }: SelectProps) {
  return <select aria-label={label} {...rest} className={classNames(CONTROL, "max-w-full pr-1", className)} />;
}

interface SearchProps extends Omit<ComponentProps<"input">, "type"> {
  label: string;
}

/** A search field; its label is read out alone. */
export function Search({ label, className, ...rest }: SearchProps) {
  return <input type="search" aria-label={label} placeholder={label} {...rest} className={classNames(CONTROL, className)} />;
}
