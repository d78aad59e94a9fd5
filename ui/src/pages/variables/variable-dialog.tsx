import { type UseMutationResult, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { Loaded } from "@/components/ui/loaded";
import { SelectField } from "@/components/ui/select-field";
import { TextArea } from "@/components/ui/text-area";
import { toast } from "@/components/ui/toasts";
import { sortFaults } from "@/lib/faults";
import { ApiProblem } from "@/lib/problem";
import { VARIABLES, type Variable, put, variableQuery } from "./api";
import { type Kind, kindOf, readValue, textOf } from "./values";

const NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}";

interface NewProps {
  /** The names that are there: a new variable takes none of them unseen. */
  taken: ReadonlySet<string>;
  onClose: () => void;
}

/** Makes a variable. */
export function NewVariable({ taken, onClose }: NewProps) {
  return (
    <VariableDialog title="New variable" etag={null} isReady onClose={onClose}>
      {(id, save) => <VariableForm id={id} save={save} taken={taken} />}
    </VariableDialog>
  );
}

/** Changes a variable that is there, from what it is now. */
export function ChangeVariable({ name, onClose }: { name: string; onClose: () => void }) {
  const query = useQuery(variableQuery(name));
  return (
    <VariableDialog title={`Change ${name}`} etag={query.data?.etag ?? null} isReady={query.data !== undefined} onClose={onClose}>
      {(id, save) => <Loaded query={query}>{({ variable }) => <VariableForm id={id} save={save} variable={variable} />}</Loaded>}
    </VariableDialog>
  );
}

type Save = UseMutationResult<Variable, unknown, { name: string; json: string }>;

interface DialogProps {
  title: string;
  /** How it was when it was read. */
  etag: string | null;
  isReady: boolean;
  onClose: () => void;
  children: (id: string, save: Save) => ReactNode;
}

function VariableDialog({ title, etag, isReady, onClose, children }: DialogProps) {
  const id = useId();
  const queryClient = useQueryClient();
  const save: Save = useMutation({
    mutationFn: ({ name, json }: { name: string; json: string }) => put(name, json, etag),
    onSuccess: async ({ name }) => {
      toast("done", `Runs that start from now on read vars.${name} so.`);
      onClose();
      await queryClient.invalidateQueries({ queryKey: VARIABLES });
    },
  });
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={id} kind="primary" disabled={!isReady} isBusy={save.isPending}>
            Save
          </Button>
        </>
      }
    >
      {children(id, save)}
    </Dialog>
  );
}

interface FormProps {
  id: string;
  save: Save;
  /** The one that is changed; undefined where a new one is made. */
  variable?: Variable;
  taken?: ReadonlySet<string>;
}

/** A name, and text or any JSON. */
function VariableForm({ id, save, variable, taken }: FormProps) {
  const [kind, setKind] = useState<Kind>(variable === undefined ? "text" : kindOf(variable.value));
  const [faults, setFaults] = useState<{ name?: string; value?: string }>({});
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const filled = new FormData(event.currentTarget);
    const name = variable?.name ?? String(filled.get("name") ?? "").trim();
    // Browsers send the lines of a field with both characters.
    const read = readValue(kind, String(filled.get("value") ?? "").replaceAll("\r\n", "\n"));
    const isTaken = taken?.has(name) === true;
    setFaults({
      ...(isTaken ? { name: "There is a variable of this name. Change that one, or take another name." } : {}),
      ...("fault" in read ? { value: read.fault } : {}),
    });
    if (!isTaken && "json" in read) save.mutate({ name, json: read.json });
  };
  const { at, rest } = sortFaults(save.error, ["/value"]);
  return (
    <form id={id} onSubmit={submit} className="flex flex-col gap-4">
      {variable === undefined && (
        <Field
          label="Name"
          name="name"
          required
          pattern={NAME}
          maxLength={63}
          autoComplete="off"
          spellCheck={false}
          hint="Steps read it as vars.NAME. Letters, digits and underscores."
          error={faults.name}
        />
      )}
      <SelectField label="Kind" value={kind} onChange={(event) => setKind(event.target.value === "json" ? "json" : "text")}>
        <option value="text">Text</option>
        <option value="json">JSON: a number, true or false, a list, an object</option>
      </SelectField>
      <TextArea
        label="Value"
        name="value"
        isCode
        rows={8}
        // Of one that is there, it is the value that people come to change.
        autoFocus={variable !== undefined}
        spellCheck={false}
        defaultValue={variable === undefined ? "" : textOf(variable.value)}
        hint="Everybody in the workspace reads it: secrets belong into connections. At most 64 KiB."
        error={faults.value ?? at.get("/value")}
      />
      <FormError>{explain(save.error) ?? rest}</FormError>
    </form>
  );
}

/** What a refusal means here, where the API's sentence says too little. */
function explain(error: unknown): string | undefined {
  const isStale = error instanceof ApiProblem && error.status === 412;
  return isStale ? "Somebody has changed or deleted it meanwhile. Close this and look at it again; nothing of yours was saved." : undefined;
}
