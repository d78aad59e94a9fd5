import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { SelectField } from "@/components/ui/select-field";
import { TextArea } from "@/components/ui/text-area";
import { sortFaults } from "@/lib/faults";
import { useOnce } from "@/lib/once";
import { ApiProblem, isStale } from "@/lib/problem";
import { CONNECTIONS, type ConnectionDetail, type Draft, change, create } from "./api";
import { expectedRedirect } from "./authorization";
import { SecretFields } from "./secret-fields";
import { TYPES, formOf, pointersOf, readHosts, readSecret } from "./types";
import { UseList } from "./used-by";

const NAME = "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,62}";

interface DialogProps {
  /** The one that is changed; undefined where a new one is made. */
  connection?: ConnectionDetail;
  onClose: () => void;
  onSaved: (saved: ConnectionDetail) => void;
}

/** The form of a connection. A secret goes in and never comes out: whoever changes one gives a whole new one. */
export function ConnectionDialog({ connection, onClose, onSaved }: DialogProps) {
  const queryClient = useQueryClient();
  const once = useOnce();
  // What is in the fields is of this one, also where the page has read a newer one meanwhile.
  const [seen] = useState(connection);
  const [type, setType] = useState<string>(connection?.type ?? TYPES[0] ?? "bearer");
  const [isSecretNew, setIsSecretNew] = useState(connection === undefined);
  const save = useMutation({
    mutationFn: ({ draft, isForced }: { draft: Draft; isForced: boolean }) =>
      seen === undefined ? once.ask(JSON.stringify(draft), (header) => create(draft, header)) : change(seen, draft, isForced),
    onSuccess: async (saved) => {
      await queryClient.invalidateQueries({ queryKey: CONNECTIONS });
      onSaved(saved);
    },
  });
  const isInUse = save.error instanceof ApiProblem && save.error.code === "connection_in_use";
  const submit = (filled: FormData) => {
    const draft: Draft = {
      name: String(filled.get("name") ?? "").trim(),
      type,
      allowed_hosts: readHosts(String(filled.get("hosts") ?? "")),
      ...(isSecretNew ? { secret: readSecret(type, filled) } : {}),
    };
    save.mutate({ draft, isForced: isInUse });
  };
  const { at: faults, rest } = sortFaults(save.error, pointersOf(type));
  return (
    <FormDialog
      title={connection === undefined ? "New connection" : `Change ${connection.name}`}
      verb={isInUse ? "Rename it all the same" : "Save"}
      isDangerous={isInUse}
      isBusy={save.isPending}
      onClose={onClose}
      onSubmit={submit}
    >
      <Field
        label="Name"
        name="name"
        defaultValue={connection?.name ?? ""}
        required
        pattern={NAME}
        maxLength={63}
        autoComplete="off"
        spellCheck={false}
        hint="Steps use it by this name. Letters, digits, dots, dashes and underscores."
        error={faults.get("/name")}
      />
      <SelectField
        label="Type"
        value={type}
        onChange={(event) => {
          setType(event.target.value);
          setIsSecretNew(true);
        }}
      >
        {TYPES.map((one) => (
          <option key={one} value={one}>
            {formOf(one).label}
          </option>
        ))}
      </SelectField>
      <TextArea
        label="Allowed hosts"
        name="hosts"
        isCode
        rows={2}
        spellCheck={false}
        defaultValue={connection?.allowed_hosts.join("\n") ?? ""}
        placeholder="api.example.com"
        hint="Where the secret may be sent, one a line; *.example.com for all names below it. Empty: wherever a step calls, so that editors can send it anywhere."
        error={faults.get("/allowed_hosts")}
      />
      {isSecretNew ? (
        <SecretFields key={type} type={type} faults={faults} redirect={redirectOf(connection)} />
      ) : (
        <div className="flex items-center justify-between gap-2">
          <p className="text-ink-2">The secret stays as it is.</p>
          <Button onClick={() => setIsSecretNew(true)}>Replace the secret</Button>
        </div>
      )}
      <FormError>{isInUse ? undefined : (explain(save.error) ?? rest)}</FormError>
      {isInUse && connection !== undefined && <InUse connection={connection} />}
    </FormDialog>
  );
}

function redirectOf(connection: ConnectionDetail | undefined): string {
  return connection?.authorization?.redirect_uri ?? expectedRedirect(location.origin);
}

/** What a refusal means here, where the API's sentence says too little. */
function explain(error: unknown): string | undefined {
  return isStale(error) ? "Somebody has changed it meanwhile. Close this and look at it again; nothing of yours was saved." : undefined;
}

function InUse({ connection }: { connection: ConnectionDetail }) {
  return (
    <div role="alert" className="flex flex-col gap-1">
      <p className="rounded-control bg-failed-soft px-3 py-2 text-failed">
        These know it as {connection.name}, and would fail until they are changed:
      </p>
      <UseList uses={connection.used_by} />
    </div>
  );
}
