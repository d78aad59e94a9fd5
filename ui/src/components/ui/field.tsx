import { type ComponentProps, type RefObject, useEffect, useId, useRef } from "react";
import { classNames } from "@/lib/class-names";
import { fromField, toField } from "@/lib/moment-field";
import { useZone } from "@/lib/preferences";

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
  return <select aria-label={label} {...rest} className={classNames(CONTROL, "max-w-[min(100%,14rem)] pr-1 text-ellipsis", className)} />;
}

interface SearchProps {
  label: string;
  /** What is searched for, as the address has it. */
  text: string;
  onText: (text: string) => void;
  field: RefObject<HTMLInputElement | null>;
  className?: string;
}

/** A search field; its label is read out alone. It follows the address, but not while somebody types. */
export function Search({ label, text, onText, field, className }: SearchProps) {
  useEffect(() => {
    const input = field.current;
    if (input !== null && input !== document.activeElement) input.value = text;
  }, [field, text]);
  return (
    <input
      ref={field}
      type="search"
      aria-label={label}
      placeholder={label}
      defaultValue={text}
      onChange={(event) => onText(event.target.value)}
      className={classNames(CONTROL, className)}
    />
  );
}

interface MomentFieldProps {
  label: string;
  /** As the address has it; undefined where it has none. */
  moment: string | undefined;
  onMoment: (moment: string | undefined) => void;
}

/**
 * A date with a time, by the clocks that all times are told by; its label stands before it. It follows the address, but not while
 * somebody types.
 */
export function MomentField({ label, moment, onMoment }: MomentFieldProps) {
  const field = useRef<HTMLInputElement>(null);
  const zone = useZone();
  useEffect(() => {
    const input = field.current;
    if (input !== null && input !== document.activeElement) input.value = toField(moment, zone);
  }, [moment, zone]);
  return (
    <label className="flex items-center gap-1.5 text-ink-2">
      {label}
      {zone === "utc" && " (UTC)"}
      <input
        // Made anew by other clocks, also while somebody types: what stands there would mean another moment.
        key={zone}
        ref={field}
        type="datetime-local"
        defaultValue={toField(moment, zone)}
        onChange={(event) => {
          // While only a part of it is typed, a browser gives nothing at all.
          const given = fromField(event.target.value, zone);
          if (given !== undefined) onMoment(given);
        }}
        onBlur={({ target }) => {
          if (target.value !== "") {
            // What was not taken does not stand there as if it were.
            if (fromField(target.value, zone) === undefined) target.value = toField(moment, zone);
          } else if (target.validity.valid && moment !== undefined) onMoment(undefined);
        }}
        className={CONTROL}
      />
    </label>
  );
}
