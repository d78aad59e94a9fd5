import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Choices, SelectField } from "@/components/ui/select-field";
import { serverNow } from "@/lib/clock";
import { sortFaults } from "@/lib/faults";
import { useOnce } from "@/lib/once";
import { ROLE_MAY, type Role, rolesUpTo } from "@/lib/roles";
import { API_KEYS, type MadeKey, makeKey } from "./api";
import { LIFETIMES, type Lifetime, expiryOf } from "./lifetimes";

const USUAL_LIFETIME: Lifetime = "90";

/** Makes a key, and shows its secret this once. */
export function MakeKey({ mine }: { mine: Role }) {
  const [isOpen, setIsOpen] = useState(false);
  const [made, setMade] = useState<MadeKey>();
  const close = () => {
    setIsOpen(false);
    setMade(undefined);
  };
  return (
    <>
      <Button kind="primary" icon="plus" onClick={() => setIsOpen(true)}>
        New key
      </Button>
      {isOpen && made === undefined && <KeyForm mine={mine} onMade={setMade} onClose={close} />}
      {made !== undefined && <Shown made={made} onClose={close} />}
    </>
  );
}

interface Wanted {
  name: string;
  role: Role;
  lifetime: string;
}

interface FormProps {
  mine: Role;
  onMade: (made: MadeKey) => void;
  onClose: () => void;
}

function KeyForm({ mine, onMade, onClose }: FormProps) {
  const queryClient = useQueryClient();
  const once = useOnce();
  const ends = useRef<{ of: string; at: string | null }>(undefined);
  const make = useMutation({
    mutationFn: ({ name, role, lifetime }: Wanted) =>
      once.ask(JSON.stringify([name, role, lifetime]), (header) => {
        const of = header["Idempotency-Key"];
        // What is asked for again ends when it was to end at first.
        if (ends.current?.of !== of) ends.current = { of, at: expiryOf(lifetime, serverNow()) };
        return makeKey({ name, role, expires_at: ends.current.at }, header);
      }),
    onSuccess: onMade,
    onSettled: () => queryClient.invalidateQueries({ queryKey: API_KEYS }),
  });
  const faults = sortFaults(make.error, ["/name", "/expires_at"]);
  const roles = rolesUpTo(mine);
  const submit = (filled: FormData) => {
    const role = roles.find((known) => known === filled.get("role")) ?? "viewer";
    make.mutate({ name: String(filled.get("name")).trim(), role, lifetime: String(filled.get("lifetime")) });
  };
  return (
    <FormDialog title="New API key" verb="Make the key" isBusy={make.isPending} onClose={onClose} onSubmit={submit}>
      <Field label="Name" name="name" maxLength={200} required hint="What will use it" error={faults.at.get("/name")} />
      <SelectField
        label="Role"
        name="role"
        defaultValue={roles.includes("operator") ? "operator" : "viewer"}
        hint="Each may do what the roles below it may, too."
      >
        {roles.map((role) => (
          <option key={role} value={role}>
            {role}: {ROLE_MAY[role]}
          </option>
        ))}
      </SelectField>
      <SelectField label="Lives" name="lifetime" defaultValue={USUAL_LIFETIME}>
        <Choices words={LIFETIMES} chosen={USUAL_LIFETIME} />
      </SelectField>
      <FormError>{faults.at.get("/expires_at") ?? faults.rest}</FormError>
    </FormDialog>
  );
}

function Shown({ made, onClose }: { made: MadeKey; onClose: () => void }) {
  return (
    <Dialog
      isOpen
      isFirm
      onClose={onClose}
      title={`The key ${made.name}`}
      actions={
        <Button kind="primary" onClick={onClose}>
          I have stored it
        </Button>
      }
    >
      <p>This is the only time that it is shown. Whoever has it may do what the role {made.role} may.</p>
      <div className="mt-3 flex flex-wrap items-center gap-2">
        <code data-secret className="min-w-0 grow rounded-control bg-sunken px-2.5 py-1.5 font-mono wrap-anywhere select-all">
          {made.secret}
        </code>
        <CopyButton text={made.secret} what="The key" />
      </div>
    </Dialog>
  );
}
