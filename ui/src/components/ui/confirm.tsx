import type { ReactNode } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";

interface ConfirmProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  /** What the button that acts says: the verb, never "OK". */
  verb: string;
  keep?: string;
  isBusy?: boolean;
  onConfirm: () => void;
  children: ReactNode;
}

/** Asks before something is destroyed, and says what that means. */
export function Confirm({ isOpen, onClose, title, verb, keep = "Keep it", isBusy = false, onConfirm, children }: ConfirmProps) {
  return (
    <Dialog
      isOpen={isOpen}
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>{keep}</Button>
          <Button kind="danger" isBusy={isBusy} onClick={onConfirm}>
            {verb}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
