import { useState } from "react";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { isLarge } from "@/features/values/value-view";
import { describeError } from "@/lib/problem";
import type { Run } from "./api";
import { curlOf } from "./curl";

/** As much as one word of a command may have, on most systems. */
const LONGEST = 100_000;

/** Puts a command on the clipboard that starts the same again. */
export function CopyAsCurl({ run }: { run: Run }) {
  const [command] = useState(() => curlOf(location.origin, run, run.input));
  const hasWhole = !isLarge(run.input) && command.length < LONGEST;
  const copy = () =>
    navigator.clipboard.writeText(command).then(
      () => toast("done", "The command was copied. It takes its token from FLOWFORGE_TOKEN."),
      (error: unknown) => toast("failed", `The command was not copied. ${describeError(error)}`),
    );
  return (
    <Button kind="quiet" icon="copy" disabled={!hasWhole} title={hasWhole ? undefined : "The input is too large for a command."} onClick={() => void copy()}>
      Copy as curl
    </Button>
  );
}
