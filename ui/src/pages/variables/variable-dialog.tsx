import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Loaded } from "@/components/ui/loaded";
import { Choices, SelectField } from "@/components/ui/select-field";
import { TextArea } from "@/components/ui/text-area";
import { toast } from "@/components/ui/toasts";
import { sortFaults } from "@/lib/faults";
import { isStale } from "@/lib/problem";
import { VARIABLES, type Variable, put, variableQuery } from "./api";
import { type Kind, kindOf, readValue, textOf } from "./values";

const NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}";
const KINDS = { text: "Text", json: "JSON: a number, true or false, a list, an object" } as const satisfies Record<Kind, string>;
const NONE: ReadonlySet<string> = new Set();

/** What is wrong, by the names of the fields. */
type Faults = Readonly<{ name?: string | undefined; value?: string | undefined }>;

interface NewProps {
  /** The names that are there: a new variable takes none of them unseen. */
  taken: ReadonlySet<string>;
  onClose: () => void;
}

/** Makes a variable. */
export function NewVariable({ taken, onClose }: NewProps) {
  return (
    <VariableDialog title="New variable" etag={null} taken={taken} onClose={onClose}>
      {(faults) => (
        <>
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
          <ValueFields fault={faults.value} />
        </>
      )}
    </VariableDialog>
  );
}

/** Changes a variable that is there, from what it is now. */
export function ChangeVariable({ name, onClose }: { name: string; onClose: () => void }) {
  const query = useQuery(variableQuery(name));
  return (
    <VariableDialog title={`Change ${name}`} name={name} etag={query.data?.etag ?? null} isReady={query.data !== undefined} onClose={onClose}>
      {(faults) => <Loaded query={query}>{({ variable }) => <ValueFields variable={variable} fault={faults.value} />}</Loaded>}
    </VariableDialog>
  );
}

interface DialogProps {
  title: string;
  /** Of the one that is changed; left out where it is filled in. */
  name?: string;
  /** How it was when it was read. */
  etag: string | null;
  taken?: ReadonlySet<string>;
  isReady?: boolean;
  onClose: () => void;
  children: (faults: Faults) => ReactNode;
}

function VariableDialog({ title, name: known, etag, taken = NONE, isReady = true, onClose, children }: DialogProps) {
  const [wrong, setWrong] = useState<Faults>({});
  const queryClient = useQueryClient();
  const save = useMutation({
    mutationFn: ({ name, json }: { name: string; json: string }) => put(name, json, etag),
    onSuccess: async ({ name }) => {
      toast("done", `Runs that start from now on read vars.${name} so.`);
      onClose();
      await queryClient.invalidateQueries({ queryKey: VARIABLES });
    },
  });
  const submit = (filled: FormData) => {
    const name = known ?? String(filled.get("name") ?? "").trim();
    // Browsers send the lines of a field with both characters.
    const read = readValue(filled.get("kind") === "json" ? "json" : "text", String(filled.get("value") ?? "").replaceAll("\r\n", "\n"));
    const isTaken = taken.has(name);
    setWrong({
      ...(isTaken ? { name: "There is a variable of this name. Change that one, or take another name." } : {}),
      ...("fault" in read ? { value: read.fault } : {}),
    });
    if (!isTaken && "json" in read) save.mutate({ name, json: read.json });
  };
  const { at, rest } = sortFaults(save.error, ["/value"]);
  return (
    <FormDialog title={title} verb="Save" isBusy={save.isPending} isFaulty={!isReady} onClose={onClose} onSubmit={submit}>
      {children({ name: wrong.name, value: wrong.value ?? at.get("/value") })}
      <FormError>
        {isStale(save.error) ? "Somebody has changed or deleted it meanwhile. Close this and look at it again; nothing of yours was saved." : rest}
      </FormError>
    </FormDialog>
  );
}

/** Text, or any JSON. */
function ValueFields({ variable, fault }: { variable?: Variable; fault: string | undefined }) {
  const kind = variable === undefined ? "text" : kindOf(variable.value);
  return (
    <>
      <SelectField label="Kind" name="kind" defaultValue={kind}>
        <Choices words={KINDS} chosen={kind} />
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
        error={fault}
      />
    </>
  );
}
