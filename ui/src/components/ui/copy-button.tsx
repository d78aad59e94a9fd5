import { Button } from "./button";
import { toast } from "./toasts";

interface CopyButtonProps {
  text: string;
  /** What is copied, as the words after it say: "The link was copied." */
  what: string;
  kind?: "primary" | "secondary" | "quiet";
}

/** Puts a text on the clipboard. Where the browser refuses, as over plain http, the text has to be marked by hand. */
export function CopyButton({ text, what, kind = "secondary" }: CopyButtonProps) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast("done", `${what} was copied.`);
    } catch {
      toast("failed", `${what} was not copied, since the browser refuses. Mark it and copy it by hand.`);
    }
  };
  return (
    <Button kind={kind} icon="copy" onClick={() => void copy()}>
      Copy
    </Button>
  );
}
