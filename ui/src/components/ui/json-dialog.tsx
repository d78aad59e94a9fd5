import type { ReactNode } from "react";
import { faultOfJson } from "@/lib/json-text";
import { describeError } from "@/lib/problem";
import { FormError } from "./door";
import { FormDialog } from "./form-dialog";
import { JsonField } from "./json-field";

interface JsonDialogProps {
  title: string;
  /** What the button says that sends it. */
  verb: string;
  /** What the field is called. */
  label: string;
  text: string;
  onText: (text: string) => void;
  /** What has become of it, as a mutation tells. */
  sent: { isPending: boolean; error: unknown };
  onClose: () => void;
  /** The text is JSON, and goes as it was typed. */
  onSend: (json: string) => void;
  /** What the JSON is for, in words. */
  children: ReactNode;
}

/** A dialog that asks for JSON, and for nothing else: what is wrong is told by its line, and is not sent. */
export function JsonDialog({ title, verb, label, text, onText, sent, onClose, onSend, children }: JsonDialogProps) {
  const faults = faultOfJson(text);
  return (
    <FormDialog title={title} verb={verb} isBusy={sent.isPending} isFaulty={faults !== undefined} onClose={onClose} onSubmit={() => onSend(text)}>
      <div className="text-ink-2">{children}</div>
      <JsonField label={label} text={text} onText={onText} faults={faults} />
      <FormError>{sent.error === null ? undefined : describeError(sent.error)}</FormError>
    </FormDialog>
  );
}
