import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { isLarge } from "@/features/values/value-view";
import { describeError } from "@/lib/problem";
import type { Run } from "./api";
import { curlOf } from "./curl";

/** Puts a command on the clipboard that starts the same again. */
export function CopyAsCurl({ run }: { run: Run }) {
  const hasWhole = !isLarge(run.input);
  const copy = () =>
    navigator.clipboard.writeText(curlOf(location.origin, run, run.input)).then(
      () => toast("done", "The command was copied. It takes its token from FLOWFORGE_TOKEN."),
      (error: unknown) => toast("failed", `The command was not copied. ${describeError(error)}`),
    );
  return (
    <Button kind="quiet" icon="copy" disabled={!hasWhole} title={hasWhole ? undefined : "The input is too large for a command."} onClick={() => void copy()}>
      Copy as curl
    </Button>
  );
}
