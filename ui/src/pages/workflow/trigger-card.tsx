import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { CopyButton } from "@/components/ui/copy-button";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { Moment } from "@/components/ui/moment";
import { useAction } from "@/components/ui/use-action";
import { type Trigger, describeTrigger } from "@/features/triggers/trigger";
import { WORKFLOW, WORKFLOWS } from "@/features/workflows/api";
import { nameZone } from "@/lib/format";
import { usePermission } from "@/lib/me";
import { useOnce } from "@/lib/once";
import { useZone } from "@/lib/preferences";
import { nameTrigger } from "@/lib/trigger-words";
import { ReceivedList } from "./received-list";
import { changeTrigger, deleteTrigger, rotateTrigger } from "./trigger-api";
import { TriggerDialog } from "./trigger-dialog";
import { AskedSecret, NeededSecret, ShownSecret } from "./trigger-secret";

type Asked = "edit" | "delete" | "url" | "secret" | undefined;

/** One trigger: how it is set up, when it is due, and what it received last. */
export function TriggerCard({ trigger }: { trigger: Trigger }) {
  const [isOpen, setIsOpen] = useState(false);
  const name = nameTrigger(trigger.type);
  return (
    <section aria-label={`${name}: ${describeTrigger(trigger)}`} className="rounded-control border border-line bg-surface p-3">
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="font-semibold">{name}</h2>
        <span className="min-w-32 flex-1 font-mono text-xs text-ink-2 wrap-anywhere">{describeTrigger(trigger)}</span>
        <span className={trigger.enabled ? "" : "text-ink-3"}>{trigger.enabled ? "On" : "Paused"}</span>
        <TriggerMenu trigger={trigger} />
      </div>
      {trigger.url !== null && (
        <div className="mt-2 flex flex-wrap items-center gap-2">
          <code className="min-w-48 flex-1 rounded-control bg-sunken px-2 py-1.5 font-mono text-xs wrap-anywhere">{trigger.url}</code>
          <CopyButton text={trigger.url} what="The address" />
        </div>
      )}
      <NeededSecret trigger={trigger} />
      {trigger.previous_secret_until !== null && (
        <p className="mt-2 text-ink-2">
          The secret before is good until <Moment at={trigger.previous_secret_until} />.
        </p>
      )}
      {trigger.schedule !== null && <FireTimes schedule={trigger.schedule} />}
      <p className="mt-2">
        <Link to="/events" search={{ workflow: trigger.workflow_id, trigger: trigger.id }} className="inline-block min-h-6 underline">
          Its events
        </Link>
      </p>
      <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
        <summary className="py-1 text-ink-2">What it received last</summary>
        {isOpen && <ReceivedList triggerId={trigger.id} />}
      </details>
    </section>
  );
}

function FireTimes({ schedule }: { schedule: NonNullable<Trigger["schedule"]> }) {
  const zone = useZone();
  const { next_fire_times: times, skipped_at: skippedAt, skip_reason: reason } = schedule;
  return (
    <div className="mt-2">
      {times.length === 0 ? (
        <p className="text-ink-2">It is due no more.</p>
      ) : (
        <>
          <h3 className="text-xs text-ink-3">Next times, as clocks tell them in {nameZone(zone)}</h3>
          <ol aria-label="Next times" className="flex flex-wrap gap-x-4 font-mono text-xs text-ink-2">
            {times.map((at) => (
              <li key={at}>
                <Moment at={at} />
              </li>
            ))}
          </ol>
        </>
      )}
      {skippedAt !== null && (
        <p className="mt-1 text-xs text-ink-2">
          It passed over due times, last <Moment at={skippedAt} isRelative />
          {reason !== null && <>: {reason === "not_published" ? "nothing is published" : "they were missed"}</>}.
        </p>
      )}
    </div>
  );
}

function TriggerMenu({ trigger }: { trigger: Trigger }) {
  const mayWrite = usePermission("triggers:write");
  const [asked, setAsked] = useState<Asked>();
  const [secret, setSecret] = useState<string>();
  const action = useAction(WORKFLOWS, WORKFLOW);
  // One each: what is asked for beside it makes nobody forget that the other may have been done.
  const once = { url: useOnce(), secret: useOnce() };
  if (!mayWrite) return null;
  const close = () => setAsked(undefined);
  const run = (failure: string, work: () => Promise<string | undefined>) => {
    close();
    action.mutate({ failure, work });
  };
  const rotate = (what: "url" | "secret") =>
    run(`The ${what === "url" ? "address" : "secret"} was not changed.`, async () => {
      const rotated = await once[what].ask(trigger.id, (header) => rotateTrigger(trigger.id, what, header));
      if (rotated.secret === null) return "The trigger has a new address; the old one is void.";
      setSecret(rotated.secret);
      return undefined;
    });
  return (
    <>
      <Menu trigger={<IconButton label={`Actions for ${describeTrigger(trigger)}`} icon="more" />}>
        <MenuItem icon="edit" onSelect={() => setAsked("edit")}>
          Edit
        </MenuItem>
        <MenuItem
          icon={trigger.enabled ? "pause" : "play"}
          onSelect={() =>
            run("The trigger was not changed.", async () => {
              await changeTrigger(trigger.id, { enabled: !trigger.enabled });
              return trigger.enabled ? "The trigger is paused: it starts nothing." : "The trigger is on.";
            })
          }
        >
          {trigger.enabled ? "Pause" : "Turn on"}
        </MenuItem>
        {trigger.type === "webhook" && (
          <>
            <MenuItem icon="key" isDisabled={!trigger.has_secret && !trigger.needs_secret} onSelect={() => setAsked("secret")}>
              {trigger.needs_secret ? "Make a secret" : "Rotate the secret"}
            </MenuItem>
            <MenuItem icon="link" onSelect={() => setAsked("url")}>
              New address
            </MenuItem>
          </>
        )}
        <MenuLine />
        <MenuItem icon="trash" isDangerous onSelect={() => setAsked("delete")}>
          Delete
        </MenuItem>
      </Menu>
      {asked === "edit" && <TriggerDialog workflowId={trigger.workflow_id} trigger={trigger} onClose={close} />}
      <Confirm
        isOpen={asked === "delete"}
        onClose={close}
        title="Delete the trigger?"
        verb="Delete"
        onConfirm={() =>
          run("The trigger was not deleted.", async () => {
            await deleteTrigger(trigger.id);
            return "The trigger was deleted. Its runs stay.";
          })
        }
      >
        It starts nothing any more{trigger.url === null ? "" : ", and its address answers 404"}. Its runs stay.
      </Confirm>
      <Confirm isOpen={asked === "url"} onClose={close} title="Make a new address?" verb="New address" onConfirm={() => rotate("url")}>
        The old address is void at once: whoever calls it has to be told the new one.
      </Confirm>
      <AskedSecret isOpen={asked === "secret"} isFirst={trigger.needs_secret} onClose={close} onConfirm={() => rotate("secret")} />
      <ShownSecret secret={secret} onClose={() => setSecret(undefined)} />
    </>
  );
}
