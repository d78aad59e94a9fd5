import { type ComponentProps, useId } from "react";
import { classNames } from "@/lib/class-names";

interface TextAreaProps extends ComponentProps<"textarea"> {
  label: string;
  hint?: string;
  error?: string | undefined;
  isCode?: boolean;
}

/** A labelled field of several lines, with what helps to fill it in, or what is wrong with it. */
export function TextArea({ label, hint, error, isCode = false, rows = 3, ...rest }: TextAreaProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      <textarea
        id={id}
        rows={rows}
        {...rest}
        aria-invalid={error === undefined ? undefined : true}
        aria-describedby={note === undefined ? undefined : `${id}-note`}
        className={classNames(
          "w-full rounded-control border border-line-strong bg-surface px-2.5 py-1.5 text-ink aria-invalid:border-failed disabled:opacity-50",
          isCode && "font-mono text-xs",
        )}
      />
      {note !== undefined && (
        <p id={`${id}-note`} className={classNames("text-xs wrap-anywhere", error === undefined ? "text-ink-3" : "text-failed")}>
          {note}
        </p>
      )}
    </div>
  );
}
