import { useState } from "react";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toasts";
import { describeError } from "@/lib/problem";
import { downloadPayload } from "./api";

interface Large {
  preview: unknown;
  size: number;
  ref: string;
}

function isLarge(value: unknown): value is Large {
  if (typeof value !== "object" || value === null) return false;
  const large = value as Partial<Large>;
  return typeof large.ref === "string" && typeof large.size === "number" && "preview" in value && Object.keys(value).length === 3;
}

/** A value as JSON. Of a large one, how it begins, and the whole as a file. */
export function ValueView({ title, value, runId }: { title: string; value: unknown; runId: string }) {
  const large = isLarge(value) ? value : undefined;
  const shown = large === undefined ? value : large.preview;
  const text = large !== undefined && typeof shown === "string" ? shown : JSON.stringify(shown, null, 2);
  return (
    <div role="group" aria-label={title} className="mt-4">
      <div className="mb-1 flex min-h-8 items-center justify-between gap-2">
        <h3 className="font-semibold">{title}</h3>
        {large === undefined ? <Copy title={title} text={text} /> : <Download large={large} runId={runId} title={title} />}
      </div>
      {large !== undefined && <p className="mb-1 text-xs text-ink-2">How it begins, of {formatBytes(large.size)}:</p>}
      <pre
        tabIndex={0}
        role="group"
        aria-label={`${title} as JSON`}
        className="max-h-80 overflow-auto rounded-control border border-line bg-sunken p-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere"
      >
        {text}
      </pre>
    </div>
  );
}

function Copy({ title, text }: { title: string; text: string }) {
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => toast("done", `${title} copied.`),
      (error: unknown) => toast("failed", `${title} was not copied. ${describeError(error)}`),
    );
  return (
    <Button kind="quiet" icon="copy" aria-label={`Copy ${title.toLowerCase()}`} onClick={() => void copy()}>
      Copy
    </Button>
  );
}

function Download({ large, runId, title }: { large: Large; runId: string; title: string }) {
  const [isBusy, setIsBusy] = useState(false);
  const download = () => {
    setIsBusy(true);
    downloadPayload(runId, large.ref, `${title.toLowerCase()}-${large.ref}.json`)
      .catch((error: unknown) => toast("failed", `${title} was not downloaded. ${describeError(error)}`))
      .finally(() => setIsBusy(false));
  };
  return (
    <Button icon="import" isBusy={isBusy} onClick={download}>
      Download all
    </Button>
  );
}

function formatBytes(bytes: number): string {
  return bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
