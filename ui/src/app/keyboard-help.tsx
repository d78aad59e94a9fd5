import { Link } from "@tanstack/react-router";
import { Checkbox } from "@/components/ui/checkbox";
import { Dialog } from "@/components/ui/dialog";
import { useActiveShortcuts, useShortcutSwitch } from "@/lib/shortcuts";

/** It is no single key, and acts also where somebody types. */
const ALWAYS = [{ key: "Ctrl+K", label: "Go to a page, a workflow or a run" }] as const;

/** Every key that acts on this page, from the table that binds them, and the switch of those that are single. */
export function KeyboardHelp({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const shortcuts = [...ALWAYS, ...useActiveShortcuts()];
  const [isOn, setIsOn] = useShortcutSwitch();
  return (
    <Dialog isOpen={isOpen} onClose={onClose} title="Keyboard shortcuts" isToRead>
      <dl className="flex flex-col">
        {shortcuts.map(({ key, label }) => (
          <div key={key} className="flex items-center justify-between gap-4 border-b border-line py-2">
            <dt>{label}</dt>
            <dd>
              <kbd className="rounded-chip border border-line-strong px-1.5 py-0.5 font-mono text-xs">{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
      <Checkbox className="mt-4" isOn={isOn} onChange={setIsOn}>
        Single keys act on pages
      </Checkbox>
      <p className="mt-1 text-xs text-ink-2">
        {isOn ? "They can be switched off here" : "Letters and signs are switched off, ? as well. Turn them on here"}, or{" "}
        <Link to="/settings" onClick={onClose} className="underline">
          in the settings
        </Link>
        , under “Your view”.
      </p>
    </Dialog>
  );
}
