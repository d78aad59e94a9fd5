import { useIsMutating } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Button } from "@/components/ui/button";
import { useIsInDialog } from "@/lib/open-dialogs";
import { useSession } from "@/lib/session";

const FROM_THE_START = () => location.replace("/");

/**
 * Follows another tab that has gone to another workspace: nothing of this one may be seen or done any more, nor come back out of the
 * history. Only what somebody fills in or reads in a dialog, or has just sent, is waited for. It asks once to be left for good: whoever
 * stays then, for something unsaved, follows when they like.
 */
export function MovedStrip({ follow = FROM_THE_START }: { follow?: () => void }) {
  const isMoved = useSession((session) => session.isMoved);
  const isInDialog = useIsInDialog();
  const isSending = useIsMutating() > 0;
  const [hasAsked, setHasAsked] = useState(false);
  const mayGo = isMoved && !hasAsked && !isInDialog && !isSending;
  useEffect(() => {
    if (!isMoved) setHasAsked(false);
    if (!mayGo) return;
    setHasAsked(true);
    follow();
  }, [isMoved, mayGo, follow]);
  return (
    <div aria-live="polite">
      {isMoved && (
        <div className="flex items-center gap-2 border-b border-line-strong bg-raised px-4 py-1">
          <p className="min-w-0 grow py-1.5">
            Another tab has gone to another workspace, and this one{" "}
            {hasAsked ? "stays until you follow it." : `follows once ${isInDialog ? "the dialog is closed" : "what was sent is done"}.`}
          </p>
          {!isInDialog && <Button onClick={follow}>Follow it</Button>}
        </div>
      )}
    </div>
  );
}
