import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { useAction } from "@/components/ui/use-action";
import { WORKFLOW, WORKFLOWS, create } from "@/features/workflows/api";
import { useOnce } from "@/lib/once";
import { TEMPLATES } from "./templates";

/** Workflows to begin with; one that is made is opened. */
export function TemplateList() {
  const { mutate, isPending } = useAction(WORKFLOWS, WORKFLOW);
  const navigate = useNavigate();
  const once = useOnce();
  return (
    <ul className="mx-auto grid max-w-4xl gap-3 sm:grid-cols-2 lg:grid-cols-3">
      {TEMPLATES.map(({ name, description, definition }) => (
        <li key={name} className="flex flex-col gap-2 rounded-control border border-line bg-surface p-4">
          <h3 className="font-semibold">{name}</h3>
          <p className="grow text-ink-2">{description}</p>
          <Button
            icon="plus"
            isBusy={isPending}
            aria-label={`Make it: ${name}`}
            onClick={() =>
              mutate({
                failure: `${name} was not made.`,
                work: async () => {
                  const made = await create({ name, definition: JSON.stringify(definition), description }, once);
                  await navigate({ to: "/workflows/$workflowId", params: { workflowId: made.id } });
                  return `${made.name} is there. Publish it to run it.`;
                },
              })
            }
          >
            Make it
          </Button>
        </li>
      ))}
    </ul>
  );
}
