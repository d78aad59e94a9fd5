import { IconButton } from "@/components/ui/button";
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLine } from "@/components/ui/menu";
import { THEMES, setTheme, useTheme } from "@/lib/theme";

const OPTIONS = [
  { value: "system", label: "As the system", icon: "screen" },
  { value: "light", label: "Light", icon: "sun" },
  { value: "dark", label: "Dark", icon: "moon" },
] as const;

/** How the app looks, and its keys. */
export function ThemeMenu({ onHelp }: { onHelp: () => void }) {
  const theme = useTheme((state) => state.theme);
  return (
    <Menu trigger={<IconButton label="Theme and keys" icon="sun" />}>
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice
        value={theme}
        options={OPTIONS}
        onChoose={(value) => setTheme(THEMES.find((known) => known === value) ?? "system")}
      />
      <MenuLine />
      <MenuItem icon="keyboard" onSelect={onHelp}>
        Keyboard shortcuts
      </MenuItem>
    </Menu>
  );
}
