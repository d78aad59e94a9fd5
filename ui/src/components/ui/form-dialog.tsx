import { type ReactNode, useId } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";

interface FormDialogProps {
  title: string;
  /** What the button says that sends the form: the verb, never "OK". */
  verb: string;
  /** Whether what was sent is on its way. */
  isBusy: boolean;
  /** Whether what is filled in cannot be sent; the form says why. */
  isFaulty?: boolean;
  onClose: () => void;
  /** What is filled in was checked by the browser. */
  onSubmit: (filled: FormData) => void;
  children: ReactNode;
}

/** A dialog around a form: its fields below each other, and the buttons that leave it or send it. */
export function FormDialog({ title, verb, isBusy, isFaulty = false, onClose, onSubmit, children }: FormDialogProps) {
  const id = useId();
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form={id} kind="primary" isBusy={isBusy} disabled={isFaulty}>
            {verb}
          </Button>
        </>
      }
    >
      <form
        id={id}
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit(new FormData(event.currentTarget));
        }}
        className="flex flex-col gap-4"
      >
        {children}
      </form>
    </Dialog>
  );
}
