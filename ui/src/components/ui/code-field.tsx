import { type ComponentProps, type KeyboardEvent, type RefObject, useId, useImperativeHandle, useRef } from "react";
import { classNames } from "@/lib/class-names";
import { indentAfter } from "./indent";

/** The same as `leading-5` below: lines of the gutter and marks lie beside those of the text. */
const LINE_PIXELS = 20;
const PADDING_PIXELS = 8;

export interface CodeFieldHandle {
  /** Put the caret at the beginning of a line, and show it. */
  goTo: (line: number) => void;
}

interface CodeFieldProps extends Omit<ComponentProps<"textarea">, "onChange" | "value" | "rows"> {
  label: string;
  text: string;
  onText?: (text: string) => void;
  /** What is wrong, by line, from 1. */
  faults?: ReadonlyMap<number, string> | undefined;
  handle?: RefObject<CodeFieldHandle | null>;
  rows?: number;
}

/** A text of many lines with their numbers, and marks beside those with faults. Tab leaves it, like every field. */
export function CodeField({ label, text, onText, faults, handle, rows = 12, className, ...rest }: CodeFieldProps) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  useImperativeHandle(handle, () => ({
    goTo: (line) => {
      const field = area.current;
      if (field === null) return;
      const start = startOf(field.value, line);
      field.focus();
      field.setSelectionRange(start, start);
      field.scrollTop = Math.max(0, (line - 3) * LINE_PIXELS);
    },
  }));
  const first = faults?.entries().next().value;
  const lines = countLines(text);
  return (
    <div className={className}>
      <label htmlFor={id} className="sr-only">
        {label}
      </label>
      <div className="flex overflow-hidden rounded-control border border-line-strong bg-surface font-mono text-xs focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-focus">
        <div ref={gutter} aria-hidden="true" className="relative w-12 shrink-0 overflow-hidden border-r border-line bg-sunken text-right leading-5 text-ink-3 select-none">
          {/* Laid over the gutter: in the flow, all of its lines would make the field as high as they are. */}
          <div className="absolute inset-x-0 top-0 px-2 py-2 whitespace-pre" style={{ height: lines * LINE_PIXELS + 4 * PADDING_PIXELS }}>
            {numbersUpTo(lines)}
            {[...(faults ?? [])].map(([line, message]) => (
              <span
                key={line}
                title={message}
                className="absolute left-0.5 rounded-chip bg-failed px-1 font-semibold text-surface"
                style={{ top: PADDING_PIXELS + (line - 1) * LINE_PIXELS }}
              >
                !
              </span>
            ))}
          </div>
        </div>
        <textarea
          id={id}
          {...rest}
          ref={area}
          rows={rows}
          value={text}
          readOnly={onText === undefined}
          onChange={(event) => onText?.(event.target.value)}
          onKeyDown={indent}
          onScroll={(event) => gutter.current?.scrollTo({ top: event.currentTarget.scrollTop })}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoComplete="off"
          aria-invalid={first === undefined ? undefined : true}
          className={classNames("min-w-0 grow resize-y bg-surface p-2 leading-5 text-ink outline-none", "disabled:opacity-50")}
        />
      </div>
    </div>
  );
}

/** Let a new line begin where the one before does, in a way that the browser can take back. */
function indent(event: KeyboardEvent<HTMLTextAreaElement>): void {
  const { key, ctrlKey, metaKey, altKey, shiftKey, nativeEvent, currentTarget: field } = event;
  if (key !== "Enter" || ctrlKey || metaKey || altKey || shiftKey || nativeEvent.isComposing || field.readOnly) return;
  const before = indentAfter(field.value.slice(0, field.selectionStart));
  // Old, and the only way that keeps what can be undone.
  if (before !== "" && document.execCommand("insertText", false, `\n${before}`)) event.preventDefault();
}

function countLines(text: string): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines += 1;
  return lines;
}

function numbersUpTo(lines: number): string {
  return Array.from({ length: lines }, (_, index) => index + 1).join("\n");
}

function startOf(text: string, line: number): number {
  let start = 0;
  for (let number = 1; number < line; number += 1) {
    const end = text.indexOf("\n", start);
    if (end === -1) return start;
    start = end + 1;
  }
  return start;
}
