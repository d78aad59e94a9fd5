import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { TextArea } from "@/components/ui/text-area";
import { toast } from "@/components/ui/toasts";
import { WORKFLOW, WORKFLOWS } from "@/features/workflows/api";
import { api, unwrap } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { isStale } from "@/lib/problem";
import { type Detail, workflowQuery } from "./api";

/** What people call a workflow, and what they say of it. */
type Words = Pick<Detail, "name" | "description">;

const LONGEST_NAME = 200;
const LONGEST_DESCRIPTION = 4_000;

/** The way to another name and description. */
export function DetailsButton({ detail }: { detail: Detail }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <>
      <IconButton label="Rename or describe" icon="edit" onClick={() => setIsOpen(true)} />
      {isOpen && <DetailsDialog detail={detail} onClose={() => setIsOpen(false)} />}
    </>
  );
}

function DetailsDialog({ detail, onClose }: { detail: Detail; onClose: () => void }) {
  const { save, seen } = useSaving(detail, onClose);
  const submit = (given: FormData) => {
    // Browsers send the lines of a field with both characters.
    const description = String(given.get("description") ?? "").replaceAll("\r\n", "\n");
    save.mutate({ name: String(given.get("name") ?? "").trim(), description });
  };
  const { at, rest } = sortFaults(save.error, ["/name", "/description"]);
  return (
    <FormDialog title="Name and description" verb="Save" isBusy={save.isPending} onClose={onClose} onSubmit={submit}>
      <Field
        label="Name"
        name="name"
        required
        maxLength={LONGEST_NAME}
        autoComplete="off"
        dir="auto"
        defaultValue={detail.name}
        error={at.get("/name")}
      />
      <TextArea
        label="Description"
        name="description"
        maxLength={LONGEST_DESCRIPTION}
        dir="auto"
        defaultValue={detail.description}
        hint="What it is for, and whom to ask about it."
        error={at.get("/description")}
      />
      <FormError>
        {isStale(save.error)
          ? `Somebody has changed these meanwhile: it is called “${seen.name}” now. Nothing of yours is saved yet; save again to write over that.`
          : rest}
      </FormError>
    </FormDialog>
  );
}

/** Saves name and description over what was seen of them, and over nothing else. */
function useSaving(detail: Detail, onSaved: () => void) {
  const queryClient = useQueryClient();
  const [seen, setSeen] = useState(detail);
  const save = useMutation({
    mutationFn: async (words: Words) => {
      try {
        return await change(seen, words);
      } catch (error) {
        if (!isStale(error)) throw error;
        const { detail: now } = await queryClient.fetchQuery({ ...workflowQuery(detail.id), staleTime: 0 });
        setSeen(now);
        // Where it is the definition or the switch that somebody has changed, there is nothing to ask: these two write over neither.
        if (now.name !== seen.name || now.description !== seen.description) throw error;
        return change(now, words);
      }
    },
    onSuccess: async ({ name }) => {
      toast("done", `It is called ${name}.`);
      onSaved();
      await Promise.all([WORKFLOW, WORKFLOWS].map((queryKey) => queryClient.invalidateQueries({ queryKey })));
    },
  });
  return { save, seen };
}

function change({ id, revision }: Detail, body: Words) {
  return unwrap(
    api.PATCH("/v1/workflows/{workflow_id}", {
      params: { path: { workflow_id: id }, header: { "If-Match": `"${revision}"` } },
      body,
    }),
  );
}
