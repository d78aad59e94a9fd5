import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Checkbox } from "@/components/ui/checkbox";
import { FormError } from "@/components/ui/door";
import { FormDialog } from "@/components/ui/form-dialog";
import { JsonField } from "@/components/ui/json-field";
import { SelectField } from "@/components/ui/select-field";
import { toast } from "@/components/ui/toasts";
import { isLarge } from "@/features/values/value-view";
import { api, unwrap } from "@/lib/api";
import { writeExact } from "@/lib/exact-json";
import { addJson, faultOfJson } from "@/lib/json-text";
import { type OnceHeader, useOnce } from "@/lib/once";
import { describeError } from "@/lib/problem";
import { type Run, nameVersion } from "./api";

const WHOLE = "";
/** What is longer is not edited in a field of a page. */
const MOST_LETTERS = 200_000;

interface RerunDialogProps {
  run: Run;
  fromStep: string | null;
  onClose: () => void;
}

type How = Readonly<{ from_step: string | null; version: "same" | "latest" }>;

/** An input that was left alone is the original's, byte by byte; another one goes as it is written, with every digit. */
function repeat(id: string, how: How, input: string | undefined, header: OnceHeader) {
  return unwrap(
    api.POST("/v1/runs/{run_id}/rerun", {
      params: { path: { run_id: id }, header },
      body: how,
      ...(input === undefined ? {} : { bodySerializer: () => addJson(how, "input", input) }),
    }),
  );
}

/** Repeat a run: from where, by which version, and with which input. */
export function RerunDialog({ run, fromStep, onClose }: RerunDialogProps) {
  const [from, setFrom] = useState(fromStep ?? WHOLE);
  const [version, setVersion] = useState<"same" | "latest">("same");
  const [written] = useState(() => writeExact(run.input, 2));
  const isUnknown = isLarge(run.input) || written.length > MOST_LETTERS;
  const first = isUnknown ? "{}" : written;
  const [isOther, setIsOther] = useState(false);
  const [text, setText] = useState(first);
  const faults = isOther ? faultOfJson(text) : undefined;
  const navigate = useNavigate();
  const once = useOnce();
  const rerun = useMutation({
    mutationFn: () => {
      const how: How = { from_step: from === WHOLE ? null : from, version };
      const input = isOther ? text : undefined;
      return once.ask(JSON.stringify([how, input]), (header) => repeat(run.id, how, input, header));
    },
    onSuccess: ({ run_id: runId }) => {
      toast("done", "A new run has begun; this is it.");
      onClose();
      void navigate({ to: "/runs/$runId", params: { runId } });
    },
  });
  return (
    <FormDialog
      title="Rerun"
      verb="Start the new run"
      isBusy={rerun.isPending}
      isFaulty={faults !== undefined}
      onClose={onClose}
      onSubmit={() => rerun.mutate()}
    >
      <SelectField label="From" value={from} onChange={(event) => setFrom(event.target.value)} hint="What came before a step is taken over.">
        <option value={WHOLE}>The beginning</option>
        {run.steps.map(({ id, name }) => (
          <option key={id} value={id}>
            {name == null ? id : `${name} (${id})`}
          </option>
        ))}
      </SelectField>
      <SelectField label="Version" value={version} onChange={(event) => setVersion(event.target.value === "latest" ? "latest" : "same")}>
        <option value="same">The same, {nameVersion(run.version)}</option>
        {/* A test is repeated with what was tested. */}
        {!run.is_test && <option value="latest">The latest that is published</option>}
      </SelectField>
      <Checkbox isOn={isOther} onChange={setIsOther}>
        With other input
      </Checkbox>
      {isOther && isUnknown && <p className="text-ink-2">The input of this run is too large to be edited here; what stands below takes its place.</p>}
      {isOther && <JsonField label="Input" text={text} onText={setText} faults={faults} />}
      <FormError>{rerun.isError ? describeError(rerun.error) : undefined}</FormError>
    </FormDialog>
  );
}
