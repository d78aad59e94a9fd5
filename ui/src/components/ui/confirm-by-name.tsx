import { type ReactNode, useState } from "react";
import { Field } from "./field";
import { FormDialog } from "./form-dialog";

interface ConfirmByNameProps {
  /** Of what is destroyed, as the title has it. */
  name: string;
  title: string;
  /** What the button that acts says: the verb, never "OK". */
  verb: string;
  onClose: () => void;
  onConfirm: () => void;
  children: ReactNode;
}

/** Asks before something is destroyed that cannot be brought back, and takes its name for a yes: a slip of the hand types none. */
export function ConfirmByName({ name, title, verb, onClose, onConfirm, children }: ConfirmByNameProps) {
  const [typed, setTyped] = useState("");
  const seen = asSeen(name);
  const isIt = asSeen(typed) === seen;
  return (
    <FormDialog
      title={title}
      verb={verb}
      leave="Keep it"
      isDangerous
      isBusy={false}
      isFaulty={!isIt}
      onClose={onClose}
      onSubmit={() => isIt && onConfirm()}
    >
      <p>{children}</p>
      {/* One that nobody can see, nobody can type. */}
      {seen !== "" && (
        <Field
          label="Its name"
          dir="auto"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          hint="Type it as it stands above, to say that it is this one."
        />
      )}
    </FormDialog>
  );
}

/**
 * A name as it is seen: nobody can tell how many spaces of which kind it has, nor from which parts a letter is put together, nor what
 * stands in it that has no looks at all.
 */
function asSeen(name: string): string {
  return name.replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "").normalize("NFC").replace(/\s+/g, " ").trim();
}
