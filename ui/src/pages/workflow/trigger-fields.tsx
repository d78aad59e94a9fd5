import { useQuery } from "@tanstack/react-query";
import { Checkbox } from "@/components/ui/checkbox";
import { Field } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { Choices, SelectField } from "@/components/ui/select-field";
import { workflowNamesQuery } from "@/features/workflows/api";
import { nameZone } from "@/lib/format";
import { useZone } from "@/lib/preferences";
import { describeError } from "@/lib/problem";
import { AUTHS, EVENTS, MISSED, TIMINGS } from "@/lib/trigger-words";
import { useSettled } from "@/lib/use-settled";
import { previewQuery } from "./trigger-api";
import { type Timing, type TriggerForm, writeConfig } from "./trigger-config";

interface FieldsProps {
  form: TriggerForm;
  set: (change: Partial<TriggerForm>) => void;
  faults: ReadonlyMap<string, string>;
}

export function WebhookFields({ form, set, faults, hasSecret }: FieldsProps & { hasSecret: boolean }) {
  return (
    <>
      <SelectField
        label="Authentication"
        value={form.auth}
        onChange={(event) => set({ auth: event.target.value })}
      >
        <Choices words={AUTHS} chosen={form.auth} />
      </SelectField>
      {form.auth !== "none" && (
        <Field
          label="Secret"
          type="password"
          autoComplete="off"
          value={form.secret}
          onChange={(event) => set({ secret: event.target.value })}
          hint={hasSecret ? "Left empty, the secret stays as it is." : "As the sender has it. It is never shown again."}
          error={faults.get("/config/auth/secret") ?? faults.get("/config/auth")}
        />
      )}
      <Field
        label="Filter"
        value={form.filter}
        onChange={(event) => set({ filter: event.target.value })}
        hint="An expression, like trigger.body.action == 'opened'. What it gives false for starts nothing."
        error={faults.get("/config/filter")}
      />
      <Field
        label="Name of a delivery"
        value={form.dedupKey}
        onChange={(event) => set({ dedupKey: event.target.value })}
        hint="An expression, like trigger.body.id. Left empty, the usual headers name it; the same name starts one run."
        error={faults.get("/config/dedup_key")}
      />
      <Checkbox isOn={form.isSync} onChange={(isSync) => set({ isSync })}>
        The caller waits for what the run answers
      </Checkbox>
    </>
  );
}

export function ScheduleFields({ form, set, faults }: FieldsProps) {
  return (
    <>
      <SelectField label="When" value={form.timing} onChange={(event) => set({ timing: event.target.value as Timing, when: "" })}>
        <Choices words={TIMINGS} chosen={form.timing} />
      </SelectField>
      <Field
        label={form.timing === "cron" ? "Cron expression" : form.timing === "at" ? "Moment" : "Seconds"}
        required
        value={form.when}
        inputMode={form.timing === "every_seconds" ? "numeric" : "text"}
        onChange={(event) => set({ when: event.target.value })}
        hint={HINTS[form.timing]}
        error={faults.get(`/config/${form.timing}`)}
      />
      {form.timing === "cron" && (
        <Field
          label="Time zone"
          required
          value={form.timezone}
          onChange={(event) => set({ timezone: event.target.value })}
          hint="A name like Europe/Berlin"
          error={faults.get("/config/timezone")}
        />
      )}
      <SelectField label="Times that were missed" value={form.missed} onChange={(event) => set({ missed: event.target.value })}>
        <Choices words={MISSED} chosen={form.missed} />
      </SelectField>
      <Preview form={form} />
    </>
  );
}

const HINTS = {
  cron: "Minute, hour, day, month, weekday: 0 6 * * 1-5 is six o'clock from Monday to Friday",
  every_seconds: "Counted from the moment of saving",
  at: "With its offset, like 2027-01-31T09:00:00Z",
} satisfies Record<Timing, string>;

/** The next five times of what is typed. */
function Preview({ form }: { form: TriggerForm }) {
  const zone = useZone();
  const settled = useSettled(form);
  const query = useQuery({ ...previewQuery(settled.when.trim() === "" ? {} : previewOf(settled)), enabled: settled.when.trim() !== "" });
  if (settled.when.trim() === "") return null;
  return (
    <div role="status">
      {query.isError ? (
        <p className="text-ink-2 wrap-anywhere">{describeError(query.error)}</p>
      ) : (
        <>
          <h3 className="text-xs text-ink-3">Next times, as clocks tell them in {nameZone(zone)}</h3>
          <ol aria-label="Next times" className="font-mono text-xs text-ink-2">
            {query.data?.next_fire_times.map((at) => (
              <li key={at}>
                <Moment at={at} />
              </li>
            ))}
          </ol>
        </>
      )}
    </div>
  );
}

function previewOf(form: TriggerForm) {
  return writeConfig({ ...form, more: "" });
}

export function EventFields({ form, set, faults }: FieldsProps) {
  const workflows = useQuery(workflowNamesQuery).data?.items ?? [];
  return (
    <>
      <SelectField label="When a run" value={form.event} onChange={(event) => set({ event: event.target.value })}>
        <Choices words={EVENTS} chosen={form.event} />
      </SelectField>
      <SelectField label="Of which workflow" value={form.workflowId} onChange={(event) => set({ workflowId: event.target.value })} hint={faults.get("/config/workflow_id")}>
        <option value="">Any workflow</option>
        {form.workflowId !== "" && !workflows.some(({ id }) => id === form.workflowId) && <option value={form.workflowId}>{form.workflowId}</option>}
        {workflows.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </SelectField>
      <Field
        label="Filter"
        value={form.filter}
        onChange={(event) => set({ filter: event.target.value })}
        hint="An expression, like trigger.event.error.code == 'http_status'"
        error={faults.get("/config/filter")}
      />
    </>
  );
}
