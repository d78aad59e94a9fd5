import { useIsMutating } from "@tanstack/react-query";
import { useEffect } from "react";
import { Button } from "@/components/ui/button";
import { useIsInDialog } from "@/lib/open-dialogs";
import { useSession } from "@/lib/session";

const FROM_THE_START = () => location.replace("/");

/**
 * Follows another tab that has gone to another workspace: nothing of this one may be seen or done any more, nor come back out of the
 * history. Only what somebody fills in or reads in a dialog, or has just sent, is waited for.
 */
export function MovedStrip({ follow = FROM_THE_START }: { follow?: () => void }) {
  const isMoved = useSession((session) => session.isMoved);
  const isInDialog = useIsInDialog();
  const isSending = useIsMutating() > 0;
  const mayGo = isMoved && !isInDialog && !isSending;
  useEffect(() => {
    if (mayGo) follow();
  }, [mayGo, follow]);
  return (
    <div aria-live="polite" className="fixed inset-x-0 top-0 z-50">
      {isMoved && (
        <div className="flex items-center gap-2 border-b border-line-strong bg-raised px-4 py-1 shadow-floating">
          <p className="min-w-0 grow py-1.5">
            Another tab has gone to another workspace, and this one follows{" "}
            {isInDialog ? "once the dialog is closed." : "once nothing is unsaved here."}
          </p>
          {!isInDialog && <Button onClick={follow}>Follow it</Button>}
        </div>
      )}
    </div>
  );
}
