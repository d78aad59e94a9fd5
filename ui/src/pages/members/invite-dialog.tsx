import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Moment } from "@/components/ui/moment";
import { SelectField } from "@/components/ui/select-field";
import { sortFaults } from "@/lib/faults";
import { useOnce } from "@/lib/once";
import { ROLES, ROLE_MAY, type Role } from "@/lib/roles";
import { INVITATIONS, type MadeInvitation, invite } from "./api";
import { offeredBy } from "./roles";

interface DialogProps {
  /** Of who invites: nobody invites to more than they are. */
  by: Role;
  onClose: () => void;
}

/** Invites somebody; their link is shown this once, to be given to them. */
export function InviteDialog({ by, onClose }: DialogProps) {
  const [made, setMade] = useState<MadeInvitation>();
  return made === undefined ? <Form by={by} onClose={onClose} onMade={setMade} /> : <Link made={made} onClose={onClose} />;
}

function Form({ by, onClose, onMade }: DialogProps & { onMade: (made: MadeInvitation) => void }) {
  const queryClient = useQueryClient();
  const once = useOnce();
  const [role, setRole] = useState<Role>("viewer");
  const inviting = useMutation({
    mutationFn: (email: string) => once.ask(`${role} ${email}`, (header) => invite(email, role, header)),
    onSuccess: async (made) => {
      onMade(made);
      await queryClient.invalidateQueries({ queryKey: INVITATIONS });
    },
  });
  const { at, rest } = sortFaults(inviting.error, ["/email"]);
  return (
    <FormDialog
      title="Invite somebody"
      verb="Make the link"
      isBusy={inviting.isPending}
      onClose={onClose}
      onSubmit={(filled) => inviting.mutate(String(filled.get("email") ?? "").trim())}
    >
      <Field
        label="Email"
        name="email"
        type="email"
        autoComplete="off"
        required
        maxLength={254}
        hint="FlowForge sends no mail: you get a link to give them. It takes the place of an earlier one to this address."
        error={at.get("/email")}
      />
      <SelectField
        label="Role"
        value={role}
        onChange={(event) => setRole(ROLES.find((known) => known === event.target.value) ?? "viewer")}
        hint={`Whoever is ${role} ${ROLE_MAY[role]}${role === "viewer" ? "." : ", and all that the roles below may."}`}
      >
        {offeredBy(by).map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </SelectField>
      <FormError>{rest}</FormError>
    </FormDialog>
  );
}

function Link({ made, onClose }: { made: MadeInvitation; onClose: () => void }) {
  return (
    <Dialog
      isOpen
      isFirm
      onClose={onClose}
      title="The link is ready"
      actions={
        <>
          <CopyButton text={made.url} what="The link" kind="primary" />
          <Button onClick={onClose}>I have given it to them</Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <p className="wrap-anywhere">
          Give it to {made.email}. It is shown this once, and good for one use, until <Moment at={made.expires_at} />. Whoever has it can
          join as {made.role}.
        </p>
        <p tabIndex={0} role="group" aria-label="Link" className="rounded-control border border-line bg-sunken p-2 font-mono text-xs wrap-anywhere select-all">
          {made.url}
        </p>
      </div>
    </Dialog>
  );
}
