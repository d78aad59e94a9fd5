import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { CopyButton } from "@/components/ui/copy-button";
import { Dialog } from "@/components/ui/dialog";
import { Icon } from "@/components/ui/icon";
import { Allowed } from "@/features/permissions/allowed";
import type { Trigger } from "@/features/triggers/trigger";
import { TriggerDialog } from "./trigger-dialog";

/** That a trigger lacks its secret, as imported ones do, and the way to set it; what is typed stays where somebody else is quicker. */
export function NeededSecret({ trigger }: { trigger: Trigger }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      {trigger.needs_secret && (
        <div className="mt-2 flex flex-wrap items-center gap-2">
          <Icon name="warning" />
          <p className="min-w-48 flex-1">It needs a secret: until it is given one, it refuses everything.</p>
          <Allowed to="triggers:write" why="It takes an editor to set it.">
            <Button icon="key" onClick={() => setIsOpen(true)}>
              Set the secret
            </Button>
          </Allowed>
        </div>
      )}
      {isOpen && (
        <TriggerDialog
          workflowId={trigger.workflow_id}
          trigger={trigger}
          news={trigger.needs_secret ? undefined : "It needs a secret no longer: it has been given one meanwhile."}
          onClose={() => setIsOpen(false)}
        />
      )}
    </>
  );
}

interface AskedSecretProps {
  isOpen: boolean;
  isFirst: boolean;
  onClose: () => void;
  onConfirm: () => void;
}

/** Whether a new secret is to be made; the first one takes the place of none. */
export function AskedSecret({ isOpen, isFirst, onClose, onConfirm }: AskedSecretProps) {
  const words = isFirst
    ? { title: "Make a secret?", verb: "Make it", keep: "Not now" }
    : { title: "Rotate the secret?", verb: "Rotate", keep: "Keep it" };
  return (
    <Confirm isOpen={isOpen} onClose={onClose} {...words} onConfirm={onConfirm}>
      {isFirst
        ? "A secret is made and shown once: whoever calls the address has to be told it."
        : "A new secret is made and shown once. The old one stays good for 24 hours more."}
    </Confirm>
  );
}

/** A secret that was made, until it is stored. */
export function ShownSecret({ secret, onClose }: { secret: string | undefined; onClose: () => void }) {
  return (
    <Dialog
      isOpen={secret !== undefined}
      isFirm
      onClose={onClose}
      title="The new secret"
      actions={<Button onClick={onClose}>I have stored it</Button>}
    >
      <p className="mb-2">It is shown this once.</p>
      <div className="flex flex-wrap items-center gap-2">
        <code className="min-w-48 flex-1 rounded-control bg-sunken px-2 py-1.5 font-mono text-xs wrap-anywhere">{secret}</code>
        <CopyButton text={secret ?? ""} what="The secret" />
      </div>
    </Dialog>
  );
}
