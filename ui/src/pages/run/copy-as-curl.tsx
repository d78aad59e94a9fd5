import { useState } from "react";
import { Button } from "@/components/ui/button";
import { putOnClipboard } from "@/components/ui/copy-text";
import { Dialog } from "@/components/ui/dialog";
import { toast } from "@/components/ui/toasts";
import { isLarge } from "@/features/values/value-view";
import type { Run } from "./api";
import { curlOf } from "./curl";

/** As much as one word of a command may have, on most systems. */
const LONGEST = 100_000;

/** Puts a command on the clipboard that starts the same again; where the browser refuses, it is shown to be copied by hand. */
export function CopyAsCurl({ run }: { run: Run }) {
  const [command] = useState(() => curlOf(location.origin, run, run.input));
  const [isShown, setIsShown] = useState(false);
  const hasWhole = !isLarge(run.input) && command.length < LONGEST;
  const copy = async () => {
    if (await putOnClipboard(command)) toast("done", "The command was copied. It takes its token from FLOWFORGE_TOKEN.");
    else setIsShown(true);
  };
  return (
    <>
      <Button kind="quiet" icon="copy" disabled={!hasWhole} title={hasWhole ? undefined : "The input is too large for a command."} onClick={() => void copy()}>
        Copy as curl
      </Button>
      <Dialog isOpen={isShown} onClose={() => setIsShown(false)} title="The command" isWide>
        <p className="mb-2 text-ink-2">The browser refuses to copy it: mark it and copy it by hand. It takes its token from FLOWFORGE_TOKEN.</p>
        <pre
          tabIndex={0}
          role="group"
          aria-label="Command"
          className="rounded-control border border-line bg-sunken p-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere select-all"
        >
          {command}
        </pre>
      </Dialog>
    </>
  );
}
