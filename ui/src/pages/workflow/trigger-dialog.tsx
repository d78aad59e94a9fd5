import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FormError } from "@/components/ui/door";
import { FormDialog } from "@/components/ui/form-dialog";
import { JsonField } from "@/components/ui/json-field";
import { Choices, SelectField } from "@/components/ui/select-field";
import { toast } from "@/components/ui/toasts";
import type { Config, Trigger } from "@/features/triggers/trigger";
import { WORKFLOW, WORKFLOWS } from "@/features/workflows/api";
import { writeExact } from "@/lib/exact-json";
import { sortFaults } from "@/lib/faults";
import { faultOfJson } from "@/lib/json-text";
import { useOnce } from "@/lib/once";
import { KINDS } from "@/lib/trigger-words";
import { EventFields, ScheduleFields, WebhookFields } from "./trigger-fields";
import { changeTrigger, createTrigger } from "./trigger-api";
import { type TriggerForm, type TriggerType, readForm, writeConfig } from "./trigger-config";

const POINTERS = ["/config/auth/secret", "/config/auth", "/config/filter", "/config/dedup_key", "/config/cron", "/config/every_seconds", "/config/at", "/config/timezone", "/config/workflow_id"];

interface TriggerDialogProps {
  workflowId: string;
  trigger?: Trigger;
  /** What has changed meanwhile of what one wanted here. */
  news?: string | undefined;
  onClose: () => void;
}

/** Make a trigger, or change one. What is wrong stands at its field. */
export function TriggerDialog({ workflowId, trigger, news, onClose }: TriggerDialogProps) {
  const before = (trigger?.config ?? {}) as Config;
  const [form, setForm] = useState(() => readForm((trigger?.type ?? "webhook") as TriggerType, before));
  const set = (change: Partial<TriggerForm>) => setForm((current) => ({ ...current, ...change }));
  // Whoever empties the field has it open still.
  const [hadMore] = useState(form.more !== "");
  const queryClient = useQueryClient();
  const once = useOnce();
  const save = useMutation({
    mutationFn: async () => {
      const config = writeConfig(form, before);
      if (trigger !== undefined) return changeTrigger(trigger.id, { config });
      return once.ask(writeExact([form.type, config]), (header) => createTrigger(workflowId, form.type, config, header));
    },
    onSuccess: async () => {
      toast("done", trigger === undefined ? "The trigger is there." : "The trigger is changed.");
      onClose();
      await Promise.all([WORKFLOW, WORKFLOWS].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
    },
  });
  const faults = sortFaults(save.error, POINTERS);
  const moreFaults = form.more.trim() === "" ? undefined : faultOfJson(form.more);
  return (
    <FormDialog
      title={trigger === undefined ? "Add a trigger" : "Edit the trigger"}
      verb={trigger === undefined ? "Add it" : "Save"}
      isBusy={save.isPending}
      isFaulty={moreFaults !== undefined}
      onClose={onClose}
      onSubmit={() => save.mutate()}
    >
      <p role="status" className="empty:absolute">
        {news}
      </p>
      {trigger === undefined && (
        <SelectField label="Kind" value={form.type} onChange={(event) => setForm(readForm(event.target.value as TriggerType))}>
          <Choices words={KINDS} chosen={form.type} />
        </SelectField>
      )}
      {form.type === "webhook" && <WebhookFields form={form} set={set} faults={faults.at} hasSecret={trigger?.has_secret ?? false} />}
      {form.type === "schedule" && <ScheduleFields form={form} set={set} faults={faults.at} />}
      {form.type === "event" && <EventFields form={form} set={set} faults={faults.at} />}
      <details open={hadMore}>
        <summary className="py-1 text-ink-2">More settings, as JSON</summary>
        <JsonField label="More settings" text={form.more} onText={(more) => set({ more })} faults={moreFaults} rows={5} />
      </details>
      <FormError>{faults.rest}</FormError>
    </FormDialog>
  );
}
