import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { useAction } from "@/components/ui/use-action";
import { WORKFLOW, WORKFLOWS, create } from "@/features/workflows/api";
import { useOnce } from "@/lib/once";
import { TEMPLATES } from "./templates";

/** Workflows to begin with; one that is made is opened. */
export function TemplateList() {
  const action = useAction(WORKFLOWS, WORKFLOW);
  return (
    <ul className="mx-auto grid max-w-4xl gap-3 sm:grid-cols-2 lg:grid-cols-3">
      {TEMPLATES.map((template) => (
        <TemplateCard key={template.name} template={template} action={action} />
      ))}
    </ul>
  );
}

interface CardProps {
  template: (typeof TEMPLATES)[number];
  /** One for all: while one is made, no other is. */
  action: ReturnType<typeof useAction>;
}

function TemplateCard({ template: { name, description, definition }, action }: CardProps) {
  const navigate = useNavigate();
  const once = useOnce();
  const make = async () => {
    const made = await create({ name, definition: JSON.stringify(definition), description }, once);
    await navigate({ to: "/workflows/$workflowId", params: { workflowId: made.id } });
    return `${made.name} is there. Publish it to run it.`;
  };
  return (
    <li className="flex flex-col gap-2 rounded-control border border-line bg-surface p-4">
      <h3 className="font-semibold">{name}</h3>
      <p className="grow text-ink-2">{description}</p>
      <Button
        icon="plus"
        isBusy={action.isPending}
        aria-label={`Make it: ${name}`}
        onClick={() => action.mutate({ failure: `${name} was not made.`, work: make })}
      >
        Make it
      </Button>
    </li>
  );
}
