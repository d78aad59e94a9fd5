import { type ReactNode, useId } from "react";
import { Button } from "./button";
import { Dialog } from "./dialog";

interface FormDialogProps {
  title: string;
  /** What the button says that sends the form: the verb, never "OK". */
  verb: string;
  /** What the button says that leaves it. */
  leave?: string;
  /** Whether what it does is to be thought over. */
  isDangerous?: boolean;
  /** Whether what was sent is on its way. */
  isBusy: boolean;
  /** Whether what is filled in cannot be sent; the form says why. */
  isFaulty?: boolean;
  onClose: () => void;
  /** What is filled in was checked by the browser. */
  onSubmit: (filled: FormData) => void;
  /** The id of what has the focus after it, where what opened it has gone meanwhile. */
  returnTo?: string;
  children: ReactNode;
}

/** A dialog around a form: its fields below each other, and the buttons that leave it or send it. */
export function FormDialog({ title, verb, leave = "Cancel", isDangerous = false, isBusy, isFaulty = false, onClose, onSubmit, children, ...rest }: FormDialogProps) {
  const id = useId();
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>{leave}</Button>
          <Button type="submit" form={id} kind={isDangerous ? "danger" : "primary"} isBusy={isBusy} disabled={isFaulty}>
            {verb}
          </Button>
        </>
      }
      {...rest}
    >
      <form
        id={id}
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit(new FormData(event.currentTarget));
        }}
        // Browsers send a form by Enter from a box as well: nobody is done with it who wants to tick one.
        onKeyDown={(event) => {
          if (event.key === "Enter" && isBox(event.target)) event.preventDefault();
        }}
        className="flex flex-col gap-4"
      >
        {children}
      </form>
    </Dialog>
  );
}

function isBox(target: EventTarget): boolean {
  return target instanceof HTMLInputElement && target.type === "checkbox";
}
