import { Link, useNavigate } from "@tanstack/react-router";
import { toast } from "@/components/ui/toasts";

/** Gives the way to tell that a run has begun, and to go to it: where something is unsaved, that is asked about first. */
export function useShowRun(): (said: string, runId: string) => void {
  const navigate = useNavigate();
  return (said, runId) => {
    const run = { to: "/runs/$runId", params: { runId } } as const;
    toast(
      "done",
      said,
      <Link {...run} className="underline">
        Show it
      </Link>,
    );
    // Whoever stays for something unsaved has a navigation that never ends.
    void navigate(run);
  };
}
