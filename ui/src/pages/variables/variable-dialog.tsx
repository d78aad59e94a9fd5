import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useId, useState } from "react";
import { Button } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { SelectField } from "@/components/ui/select-field";
import { TextArea } from "@/components/ui/text-area";
import { toast } from "@/components/ui/toasts";
import { sortFaults } from "@/lib/faults";
import { VARIABLES, type Variable, put } from "./api";
import { type Kind, kindOf, readValue, textOf } from "./values";

const NAME = "[A-Za-z_][A-Za-z0-9_]{0,62}";

interface DialogProps {
  /** The one that is changed; undefined where a new one is made. */
  variable?: Variable;
  /** The names that are there: a new variable takes none of them unseen. */
  taken: ReadonlySet<string>;
  onClose: () => void;
}

/** The form of a variable: a name, and text or any JSON. */
export function VariableDialog({ variable, taken, onClose }: DialogProps) {
  const form = useId();
  const queryClient = useQueryClient();
  const [kind, setKind] = useState<Kind>(variable === undefined ? "text" : kindOf(variable.value));
  const [faults, setFaults] = useState<{ name?: string; value?: string }>({});
  const save = useMutation({
    mutationFn: ({ name, value }: { name: string; value: unknown }) => put(name, value),
    onSuccess: async ({ name }) => {
      toast("done", `Runs that start from now on read vars.${name} so.`);
      await queryClient.invalidateQueries({ queryKey: VARIABLES });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const filled = new FormData(event.currentTarget);
    const name = variable?.name ?? String(filled.get("name") ?? "").trim();
    // Browsers send the lines of a field with both characters.
    const read = readValue(kind, String(filled.get("value") ?? "").replaceAll("\r\n", "\n"));
    const isTaken = variable === undefined && taken.has(name);
    setFaults({
      ...(isTaken ? { name: "There is a variable of this name. Change that one, or take another name." } : {}),
      ...("fault" in read ? { value: read.fault } : {}),
    });
    if (!isTaken && "value" in read) save.mutate({ name, value: read.value });
  };
  const { at, rest } = sortFaults(save.error, ["/value"]);
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={variable === undefined ? "New variable" : `Change ${variable.name}`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={form} kind="primary" isBusy={save.isPending}>
            Save
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-4">
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
          spellCheck={false}
          defaultValue={variable === undefined ? "" : textOf(variable.value)}
          hint="Everybody in the workspace reads it: secrets belong into connections. At most 64 KiB."
          error={faults.value ?? at.get("/value")}
        />
        <FormError>{rest}</FormError>
      </form>
    </Dialog>
  );
}
