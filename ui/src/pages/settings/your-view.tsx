import { Checkbox } from "@/components/ui/checkbox";
import { Choices, SelectField } from "@/components/ui/select-field";
import { nameZone } from "@/lib/format";
import { usePreferences } from "@/lib/preferences";
import { useShortcutSwitch } from "@/lib/shortcuts";
import { useTheme } from "@/lib/theme";
import { VIEW_CHOICES, type ViewChoice } from "@/lib/view-choices";
import { Section } from "./section";

/** How this browser shows the app, for whoever sits before it. What is chosen holds at once. */
export function YourView() {
  const theme = useTheme((state) => state.theme);
  const { zone, density } = usePreferences();
  const [isOn, setIsOn] = useShortcutSwitch();
  return (
    <Section title="Your view" lead="Kept by this browser, in every workspace; it holds at once.">
      <div className="flex max-w-sm flex-col gap-3">
        <Choice of={VIEW_CHOICES.theme} value={theme} />
        <Choice of={VIEW_CHOICES.zone} value={zone} hint={describeZone(zone === "utc")} />
        <Choice of={VIEW_CHOICES.density} value={density} />
        <div>
          <Checkbox isOn={isOn} onChange={setIsOn} describedBy="single-keys-note">
            Single keys act on pages
          </Checkbox>
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
  of: ViewChoice;
  value: string;
  hint?: string;
}

function Choice({ of: { title, words, choose }, value, hint }: ChoiceProps) {
  return (
    <SelectField label={title} value={value} hint={hint} onChange={(event) => choose(event.target.value)}>
      <Choices words={words} chosen={value} />
    </SelectField>
  );
}
