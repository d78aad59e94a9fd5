import { CodeField } from "./code-field";
import { FormError } from "./door";

interface JsonFieldProps {
  label: string;
  text: string;
  onText: (text: string) => void;
  /** What is wrong with it, by its line, as `faultOfJson` tells: whoever sends it has to know as well. */
  faults: ReadonlyMap<number, string> | undefined;
  rows?: number;
}

/** A field for JSON: what is wrong is marked at its line, and told below. */
export function JsonField({ faults, rows = 8, ...rest }: JsonFieldProps) {
  return (
    <div className="flex flex-col gap-2">
      <CodeField {...rest} faults={faults} rows={rows} />
      <FormError>{faults === undefined ? undefined : [...faults].map(([line, message]) => `Line ${line}: ${message}`)}</FormError>
    </div>
  );
}
