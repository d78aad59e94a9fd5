import { Button } from "./button";
import { copyText } from "./copy-text";

interface CopyButtonProps {
  text: string;
  /** What is copied, as the words after it say: "The link was copied." */
  what: string;
  kind?: "primary" | "secondary" | "quiet";
}

/** Puts a text on the clipboard. Where the browser refuses, as over plain http, the text has to be marked by hand. */
export function CopyButton({ text, what, kind = "secondary" }: CopyButtonProps) {
  return (
    <Button kind={kind} icon="copy" onClick={() => void copyText(text, what)}>
      Copy
    </Button>
  );
}
