import { useNavigate } from "@tanstack/react-router";
import { IconButton } from "@/components/ui/button";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { ZONE_LABELS, prefer, useZone } from "@/lib/preferences";
import { THEME_LABELS, setTheme, useTheme } from "@/lib/theme";

const THEMES = [
  { value: "system", label: THEME_LABELS.system, icon: "screen" },
  { value: "light", label: THEME_LABELS.light, icon: "sun" },
  { value: "dark", label: THEME_LABELS.dark, icon: "moon" },
] as const;
const ZONES = Object.entries(ZONE_LABELS).map(([value, label]) => ({ value, label }));

/** How the app looks, the clocks that it goes by, and its keys; the settings have the rest. */
export function ViewMenu({ onHelp }: { onHelp: () => void }) {
  const theme = useTheme((state) => state.theme);
  const zone = useZone();
  const navigate = useNavigate();
  return (
    <Menu trigger={<IconButton label="View and keys" icon="sun" />}>
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice value={theme} options={THEMES} onChoose={setTheme} />
      <MenuLine />
      <MenuLabel>Times</MenuLabel>
      <MenuChoice value={zone} options={ZONES} onChoose={(value) => prefer("zone", value)} />
      <MenuLine />
      <MenuItem icon="settings" onSelect={() => void navigate({ to: "/settings" })}>
        All of your view
      </MenuItem>
      <MenuItem icon="keyboard" onSelect={onHelp}>
        Keyboard shortcuts
      </MenuItem>
    </Menu>
  );
}
