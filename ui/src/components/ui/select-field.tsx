import { type ComponentProps, useId } from "react";

interface SelectFieldProps extends ComponentProps<"select"> {
  label: string;
  hint?: string | undefined;
}

/** The browser's own select with its label above it, for forms. */
export function SelectField({ label, hint, children, ...rest }: SelectFieldProps) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="font-semibold">
        {label}
      </label>
      <select
        id={id}
        {...rest}
        aria-describedby={hint === undefined ? undefined : `${id}-note`}
        className="h-8 w-full rounded-control border border-line-strong bg-surface px-2 text-ink disabled:opacity-50"
      >
        {children}
      </select>
      {hint !== undefined && (
        <p id={`${id}-note`} className="text-xs text-ink-3">
          {hint}
        </p>
      )}
    </div>
  );
}

interface ChoicesProps {
  /** What each choice is called, by its name in the API. */
  words: Readonly<Record<string, string>>;
  chosen: string;
}

/** The choices of a select in words. What is chosen and has none here, as what is newer than this page, stands last by its own name. */
export function Choices({ words, chosen }: ChoicesProps) {
  const isKnown = Object.hasOwn(words, chosen);
  return Object.entries(isKnown ? words : { ...words, [chosen]: chosen }).map(([name, word]) => (
    <option key={name} value={name}>
      {word}
    </option>
  ));
}
