import { Badge } from "@/components/ui/lamp";
import { OUTCOME_LOOKS, findOutcome } from "./outcome";

/** What became of an event; an outcome that is not known here goes by its own name. */
export function OutcomeBadge({ outcome }: { outcome: string }) {
  const known = findOutcome(outcome);
  return <Badge look={known === undefined ? { tone: "queued", label: outcome } : OUTCOME_LOOKS[known]} />;
}
