import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Dialog } from "@/components/ui/dialog";
import { FormError } from "@/components/ui/door";
import { Lamp } from "@/components/ui/lamp";
import { formatCount } from "@/lib/format";
import { describeError } from "@/lib/problem";
import { type Verification, verify } from "./api";

const REASONS: Record<string, string> = {
  missing: "It is missing.",
  changed: "It does not say what was entered.",
  columns_changed: "It is found by what it does not say.",
  other_than_kept: "It is another one than was kept.",
  other_than_head: "It is not the one that was entered last.",
};

/** Has the chain of hashes computed anew, and tells whether the log is as it was entered. */
export function VerifyButton() {
  const [isOpen, setIsOpen] = useState(false);
  const check = useMutation({ mutationFn: verify });
  const begin = () => {
    setIsOpen(true);
    check.mutate();
  };
  return (
    <>
      <Button icon="check" isBusy={check.isPending} onClick={begin}>
        Verify
      </Button>
      <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="Is the log as it was entered?">
        <div role="status">
          {check.isPending && <p>Computing the hashes of all entries…</p>}
          {check.data !== undefined && <Result found={check.data} />}
        </div>
        <FormError>{check.isError ? describeError(check.error) : undefined}</FormError>
      </Dialog>
    </>
  );
}

function Result({ found }: { found: Verification }) {
  const { valid, entries, last_seq, hash, broken_at, reason } = found;
  return (
    <div className="flex flex-col gap-3">
      <p className="flex items-center gap-2 font-semibold">
        <Lamp tone={valid ? "succeeded" : "failed"} />
        {valid ? `All ${formatCount(entries)} entries are as they were entered.` : `Entry ${broken_at ?? "?"} is not as it was entered.`}
      </p>
      {!valid && <p>{REASONS[reason ?? ""] ?? reason}</p>}
      {hash !== null && (
        <>
          <p className="text-ink-2">
            Keep this elsewhere, and give it to the check later: then also a log that somebody has written anew as a whole is found out.
          </p>
          <div className="flex flex-wrap items-center gap-2">
            <code className="min-w-0 grow rounded-control bg-sunken px-2.5 py-1.5 font-mono text-xs wrap-anywhere select-all">
              {last_seq} {hash}
            </code>
            <CopyButton text={`${last_seq} ${hash}`} what="The hash" />
          </div>
        </>
      )}
    </div>
  );
}
