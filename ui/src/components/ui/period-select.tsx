import { PERIODS, type Period, readPeriod } from "@/lib/period";
import { Select } from "./field";

const ANY = "";

interface PeriodSelectProps {
  period: Period | undefined;
  /** Undefined: of any time. */
  onChange: (period: Period | undefined) => void;
}

/** From when on a list tells. */
export function PeriodSelect({ period, onChange }: PeriodSelectProps) {
  return (
    <Select label="Time" value={period ?? ANY} onChange={(event) => onChange(readPeriod(event.target.value))}>
      <option value={ANY}>Any time</option>
      {Object.entries(PERIODS).map(([key, label]) => (
        <option key={key} value={key}>
          {label}
        </option>
      ))}
    </Select>
  );
}
