import { useNavigate } from "@tanstack/react-router";
import { IconButton } from "@/components/ui/button";
import type { IconName } from "@/components/ui/icon";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { useZone } from "@/lib/preferences";
import { type Theme, useTheme } from "@/lib/theme";
import { VIEW_CHOICES, type ViewChoice } from "@/lib/view-choices";

const ICONS = { system: "screen", light: "sun", dark: "moon" } as const satisfies Record<Theme, IconName>;

/** How the app looks, the clocks that it goes by, and its keys; the settings have the rest. */
export function ViewMenu({ onHelp }: { onHelp: () => void }) {
  const theme = useTheme((state) => state.theme);
  const zone = useZone();
  const navigate = useNavigate();
  return (
    <Menu trigger={<IconButton label="View and keys" icon="sun" />}>
      <Choice of={VIEW_CHOICES.theme} value={theme} icons={ICONS} />
      <Choice of={VIEW_CHOICES.zone} value={zone} />
      <MenuItem icon="settings" onSelect={() => void navigate({ to: "/settings" })}>
        All of your view
      </MenuItem>
      <MenuItem icon="keyboard" onSelect={onHelp}>
        Keyboard shortcuts
      </MenuItem>
    </Menu>
  );
}

interface ChoiceProps {
  of: ViewChoice;
  value: string;
  icons?: Readonly<Record<string, IconName>>;
}

function Choice({ of: { title, words, choose }, value, icons = {} }: ChoiceProps) {
  const options = Object.entries(words).map(([name, label]) => {
    const icon = icons[name];
    return { value: name, label, ...(icon === undefined ? {} : { icon }) };
  });
  return (
    <>
      <MenuLabel>{title}</MenuLabel>
      <MenuChoice value={value} options={options} onChoose={choose} />
      <MenuLine />
    </>
  );
}
