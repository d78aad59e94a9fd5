import { type ReactNode, useMemo, useState } from "react";
import { Button } from "@/components/ui/button";
import { copyText } from "@/components/ui/copy-text";
import { toast } from "@/components/ui/toasts";
import { classNames } from "@/lib/class-names";
import { downloadFile, saveBlob } from "@/lib/download";
import { writeExact } from "@/lib/exact-json";
import { formatCount } from "@/lib/format";
import { describeError } from "@/lib/problem";
import { schemaOf, tableOf } from "./shape";

interface Large {
  preview: unknown;
  size: number;
  ref: string;
}

/** A browser that breaks a longer text into lines stops for everything else meanwhile. */
const MOST_LETTERS = 50_000;
const VIEWS = ["JSON", "Table", "Schema"] as const;
type View = (typeof VIEWS)[number] | "List";

/** Whether the API gave a part of the value in place of it. */
export function isLarge(value: unknown): value is Large {
  if (typeof value !== "object" || value === null) return false;
  const large = value as Partial<Large>;
  return typeof large.ref === "string" && typeof large.size === "number" && "preview" in value && Object.keys(value).length === 3;
}

interface ValueViewProps {
  title: string;
  value: unknown;
  /** The run that the value is of: there the whole of a large one is read. */
  runId?: string;
  /** What people read first of a value that has a form of its own. */
  list?: ReactNode;
}

/** A value as JSON, as a table or by its types. Of a large one, how it begins, and the whole as a file. */
export function ValueView({ title, value, runId, list }: ValueViewProps) {
  const [view, setView] = useState<View>(list === undefined ? "JSON" : "List");
  const large = isLarge(value) ? value : undefined;
  const hasParts = large === undefined && typeof value === "object" && value !== null;
  return (
    <div role="group" aria-label={title} className="mt-4 min-w-0">
      <div className="mb-1 flex min-h-8 flex-wrap items-center gap-2">
        <h3 className="grow font-semibold">{title}</h3>
        {hasParts && <ViewChoice title={title} views={list === undefined ? VIEWS : ["List", ...VIEWS]} view={view} onView={setView} />}
        {large === undefined && <Copy title={title} value={value} />}
        {large !== undefined && runId !== undefined && <Download large={large} runId={runId} title={title} />}
      </div>
      {large !== undefined && <p className="mb-1 text-xs text-ink-2">How it begins, of {formatBytes(large.size)}:</p>}
      {view === "List" ? (
        list
      ) : view === "JSON" || !hasParts ? (
        <JsonText title={title} value={large === undefined ? value : large.preview} isPreview={large !== undefined} />
      ) : view === "Table" ? (
        <TableText title={title} value={value} />
      ) : (
        <SchemaText title={title} value={value} />
      )}
    </div>
  );
}

const BOX = "max-h-80 overflow-auto rounded-control border border-line bg-sunken";

function JsonText({ title, value, isPreview }: { title: string; value: unknown; isPreview: boolean }) {
  const text = useMemo(() => (isPreview && typeof value === "string" ? value : value === undefined ? "nothing" : writeExact(value, 2)), [value, isPreview]);
  const rest = text.length - MOST_LETTERS;
  return (
    <>
      <pre tabIndex={0} role="group" aria-label={`${title} as JSON`} className={`${BOX} p-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere`}>
        {rest > 0 ? text.slice(0, MOST_LETTERS) : text}
      </pre>
      {rest > 0 && (
        <p className="mt-1 flex flex-wrap items-center gap-2 text-xs text-ink-2">
          and {formatCount(rest)} more letters
          <Button icon="import" onClick={() => saveBlob(new Blob([text], { type: "application/json" }), `${title.toLowerCase()}.json`)}>
            Save all
          </Button>
        </p>
      )}
    </>
  );
}

function TableText({ title, value }: { title: string; value: unknown }) {
  const table = useMemo(() => tableOf(value), [value]);
  if (table === undefined) return null;
  return (
    <div tabIndex={0} role="group" aria-label={`${title} as a table`} className={BOX}>
      <table className="w-full text-left text-xs">
        <thead className="sticky top-0 bg-surface text-ink-3">
          <tr>
            {table.columns.map((column) => (
              <th key={column} className="px-2 py-1 font-normal whitespace-nowrap">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="font-mono">
          {table.rows.map((row, index) => (
            <tr key={index} className="border-t border-line align-top">
              {row.map((cell, column) => (
                <td key={column} className="max-w-80 px-2 py-1 wrap-anywhere">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {table.more > 0 && <p className="px-2 py-1 text-xs text-ink-2">and {table.more} more</p>}
    </div>
  );
}

function SchemaText({ title, value }: { title: string; value: unknown }) {
  const fields = useMemo(() => schemaOf(value), [value]);
  return (
    <div tabIndex={0} role="group" aria-label={`${title} as a schema`} className={`${BOX} p-2`}>
      <dl className="text-xs">
        {fields.map(({ path, depth, name, types }) => (
          <div key={path} className="flex gap-3" style={{ paddingLeft: depth * 12 }}>
            <dt className="font-mono wrap-anywhere">{name}</dt>
            <dd className="text-ink-2">{types}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

interface ViewChoiceProps {
  title: string;
  views: readonly View[];
  view: View;
  onView: (view: View) => void;
}

function ViewChoice({ title, views, view, onView }: ViewChoiceProps) {
  return (
    <div role="group" aria-label={`How ${title.toLowerCase()} is shown`} className="flex rounded-control border border-line">
      {views.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={view === one}
          onClick={() => onView(one)}
          className={classNames("h-6 rounded-control px-2 text-xs", view === one ? "bg-sunken font-semibold text-ink" : "text-ink-2 hover:text-ink")}
        >
          {one}
        </button>
      ))}
    </div>
  );
}

function Copy({ title, value }: { title: string; value: unknown }) {
  return (
    <Button
      kind="quiet"
      icon="copy"
      aria-label={`Copy ${title.toLowerCase()}`}
      onClick={() => void copyText(writeExact(value, 2), `“${title}”`)}
    >
      Copy
    </Button>
  );
}

function Download({ large, runId, title }: { large: Large; runId: string; title: string }) {
  const [isBusy, setIsBusy] = useState(false);
  const download = () => {
    setIsBusy(true);
    downloadFile(`/v1/runs/${runId}/payloads/${encodeURIComponent(large.ref)}`, `${title.toLowerCase()}-${large.ref}.json`)
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
