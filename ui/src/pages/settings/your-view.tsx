import { SelectField } from "@/components/ui/select-field";
import { nameZone } from "@/lib/format";
import { DENSITY_LABELS, ZONE_LABELS, prefer, usePreferences } from "@/lib/preferences";
import { useShortcutSwitch } from "@/lib/shortcuts";
import { THEME_LABELS, setTheme, useTheme } from "@/lib/theme";
import { Section } from "./section";

/** How this browser shows the app, for whoever sits before it. What is chosen holds at once. */
export function YourView() {
  const theme = useTheme((state) => state.theme);
  const { zone, density } = usePreferences();
  const [isOn, setIsOn] = useShortcutSwitch();
  return (
    <Section title="Your view" lead="Kept by this browser, in every workspace; it holds at once.">
      <div className="flex max-w-sm flex-col gap-3">
        <Choice label="Theme" value={theme} labels={THEME_LABELS} onChoose={setTheme} />
        <Choice label="Times" value={zone} labels={ZONE_LABELS} onChoose={(value) => prefer("zone", value)} hint={describeZone(zone === "utc")} />
        <Choice label="Rows of lists" value={density} labels={DENSITY_LABELS} onChoose={(value) => prefer("density", value)} />
        <div>
          <label className="flex min-h-6 items-center gap-2">
            <input
              type="checkbox"
              checked={isOn}
              onChange={(event) => setIsOn(event.target.checked)}
              aria-describedby="single-keys-note"
              className="size-4 accent-ink"
            />
            Single keys act on pages
          </label>
          <p id="single-keys-note" className="mt-1 text-xs text-ink-3">
            {isOn ? "Like j for the next row; ? lists them all." : "j, / and ? do nothing now; keys with Ctrl act all the same."}
          </p>
        </div>
      </div>
    </Section>
  );
}

function describeZone(isUtc: boolean): string {
  return isUtc
    ? "Each is marked as UTC; filters go by it as well."
    : `By the clock of this machine, ${nameZone("local")}; filters as well.`;
}

interface ChoiceProps {
  label: string;
  value: string;
  /** What each choice is called. */
  labels: Readonly<Record<string, string>>;
  onChoose: (value: string) => void;
  hint?: string;
}

function Choice({ label, value, labels, onChoose, hint }: ChoiceProps) {
  return (
    <SelectField label={label} value={value} hint={hint} onChange={(event) => onChoose(event.target.value)}>
      {Object.entries(labels).map(([choice, name]) => (
        <option key={choice} value={choice}>
          {name}
        </option>
      ))}
    </SelectField>
  );
}
