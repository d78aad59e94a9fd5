import { formatBytes, formatCount } from "@/lib/format";
import type { Limits } from "./api";

/** What this installation holds everybody to, each with the setting that changes it. */
export function LimitList({ limits: { hooks } }: { limits: Limits }) {
  const perMinute = (calls: number | null) => (calls === null ? "no limit" : `${formatCount(calls)} a minute`);
  const held = hooks.held_events_per_trigger;
  const lines = [
    ["Calls of all hooks of a workspace", perMinute(hooks.workspace_per_minute), "FLOWFORGE_HOOK_WORKSPACE_PER_MINUTE"],
    ["Calls of hooks from one address", perMinute(hooks.address_per_minute), "FLOWFORGE_HOOK_ADDRESS_PER_MINUTE"],
    ["Largest body of a hook", formatBytes(hooks.max_body_bytes), "FLOWFORGE_HOOK_MAX_BODY"],
    ["Events of one trigger that may wait", held === null ? "no limit" : formatCount(held), "FLOWFORGE_HELD_EVENTS_PER_TRIGGER"],
  ] as const;
  return (
    <>
      <dl>
        {lines.map(([name, value, setting]) => (
          <div key={name} className="flex flex-wrap justify-between gap-x-3 border-t border-line py-2 first:border-t-0">
            <dt className="min-w-0">
              <span className="text-ink-2">{name}</span>
              <span className="block font-mono text-xs text-ink-3 wrap-anywhere">{setting}</span>
            </dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="text-xs text-ink-3">
        Whoever runs this installation changes them by these settings of its environment, as docs/operations/settings.md says; a
        trigger may have its own.
      </p>
    </>
  );
}
