import { MomentField, Select } from "@/components/ui/field";
import { serverNow } from "@/lib/clock";
import { PERIODS, beginOf, readPeriod } from "@/lib/period";
import type { RunFilters } from "./filters";

const ANY = "";
const BETWEEN = "between";

type TimeFilters = Pick<RunFilters, "period" | "from" | "to">;

interface TimeFilterProps {
  filters: TimeFilters;
  /** Those that are undefined are left out. */
  onChange: (next: { [name in keyof TimeFilters]-?: TimeFilters[name] | undefined }) => void;
}

/** When runs were created: within a period that ends now, or between two moments. */
export function TimeFilter({ filters: { period, from, to }, onChange }: TimeFilterProps) {
  const isBetween = from !== undefined || to !== undefined;
  const choose = (value: string) => {
    if (value !== BETWEEN) onChange({ period: readPeriod(value), from: undefined, to: undefined });
    else onChange({ period: undefined, from: beginOf(period ?? "1h", serverNow()) ?? undefined, to: undefined });
  };
  return (
    <>
      <Select label="Time" value={isBetween ? BETWEEN : (period ?? ANY)} onChange={(event) => choose(event.target.value)}>
        <option value={ANY}>Any time</option>
        {Object.entries(PERIODS).map(([key, label]) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
        <option value={BETWEEN}>Between…</option>
      </Select>
      {isBetween && (
        <>
          <MomentField label="from" moment={from} onMoment={(moment) => onChange({ period: undefined, from: moment, to })} />
          <MomentField label="to" moment={to} onMoment={(moment) => onChange({ period: undefined, from, to: moment })} />
        </>
      )}
    </>
  );
}
