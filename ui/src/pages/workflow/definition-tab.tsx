import { useQueryClient } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { CodeField, type CodeFieldHandle } from "@/components/ui/code-field";
import { Confirm } from "@/components/ui/confirm";
import { Select } from "@/components/ui/field";
import { LoadingRows } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { Allowed } from "@/features/permissions/allowed";
import { WORKFLOWS } from "@/features/workflows/api";
import { usePermission } from "@/lib/me";
import { ApiProblem, describeError } from "@/lib/problem";
import { type Draft, saveDraft, workflowQuery } from "./api";
import { Conflict } from "./conflict";
import { FaultList } from "./fault-list";
import { FORMATS, type Format, isExact, readText, writeText } from "./texts";
import { useFaults } from "./use-faults";

const NAMES = { json: "JSON", yaml: "YAML" } satisfies Record<Format, string>;

/** The draft as a text, with every fault at its line. Nothing that was written is lost: not to others, nor by leaving. */
export function DefinitionTab({ draft }: { draft: Draft }) {
  const [format, setFormat] = useState<Format>("json");
  const [first, setFirst] = useState<string>();
  useEffect(() => {
    void writeText(draft.text, "json").then(setFirst);
    // What is written meanwhile by others is told by the editor.
  }, []);
  if (first === undefined) return <LoadingRows />;
  return <Editor draft={draft} first={first} format={format} onFormat={setFormat} />;
}

interface EditorProps {
  draft: Draft;
  first: string;
  format: Format;
  onFormat: (format: Format) => void;
}

function Editor({ draft, first, format, onFormat }: EditorProps) {
  const { detail } = draft;
  const queryClient = useQueryClient();
  const mayWrite = usePermission("workflows:write");
  const field = useRef<CodeFieldHandle>(null);
  const [text, setText] = useState(first);
  const [clean, setClean] = useState(first);
  const { begin, isOther, put } = useBase(draft);
  const [isSaving, setIsSaving] = useState(false);
  const isDirty = text !== clean;
  const { faults, isChecking, trouble } = useFaults(text, format);
  const show = async (shown: Draft) => {
    const written = await writeText(shown.text, format);
    setText(written);
    setClean(written);
    begin(shown);
  };
  useEffect(() => {
    if (!isDirty && isOther) void show(draft);
  });
  const save = async () => {
    if (!mayWrite || isSaving) return;
    setIsSaving(true);
    try {
      const { json } = await readText(text, format);
      const saved = await put(json);
      queryClient.setQueryData(workflowQuery(detail.id).queryKey, saved);
      void queryClient.invalidateQueries({ queryKey: WORKFLOWS });
      setClean(text);
      begin(saved);
      toast("done", "The draft is saved.");
    } catch (error) {
      // That somebody else has saved another one is told above the text.
      if (!isStale(error)) toast("failed", `The draft was not saved. ${describeError(error)}`);
    } finally {
      setIsSaving(false);
    }
  };
  const change = async (next: Format) => {
    try {
      const { json } = await readText(text, format);
      if (next === "yaml" && !isExact(json)) throw new Error("YAML would change how its numbers or keys are written.");
      const written = await writeText(json, next);
      if (!isDirty) setClean(written);
      setText(written);
      onFormat(next);
    } catch (error) {
      toast("failed", `It cannot be shown as ${NAMES[next]}. ${describeError(error)}`);
    }
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void save();
  };
  return (
    <div className="flex flex-col gap-3" onKeyDown={keys}>
      {isDirty && isOther && <Conflict detail={detail} onTakeTheirs={() => void show(draft)} onKeepMine={() => begin(draft)} />}
      <div className="flex flex-wrap items-center gap-2">
        <Select label="Written as" value={format} onChange={(event) => void change(event.target.value as Format)}>
          {FORMATS.map((one) => (
            <option key={one} value={one}>
              {NAMES[one]}
            </option>
          ))}
        </Select>
        <span role="status" className="grow text-ink-2">
          {isDirty ? "Not saved yet" : "As it is saved"}
        </span>
        {mayWrite && (
          <>
            <Button disabled={!isDirty} onClick={() => void show(draft)}>
              Discard
            </Button>
            <Button kind="primary" isBusy={isSaving} disabled={!isDirty || isOther} onClick={() => void save()}>
              Save the draft
            </Button>
          </>
        )}
      </div>
      <Allowed to="workflows:write" why="It takes an editor to change workflows." />
      <CodeField
        label="Definition"
        text={text}
        {...(mayWrite ? { onText: setText } : {})}
        faults={new Map(faults.map(({ line, message }) => [line, message]))}
        handle={field}
        rows={24}
      />
      <FaultList faults={faults} isChecking={isChecking} trouble={trouble} onShow={(line) => field.current?.goTo(line)} />
      <Leaving isDirty={isDirty} />
    </div>
  );
}

/** The draft that a text began with, and the way to save over that one and no other. */
function useBase(draft: Draft) {
  const queryClient = useQueryClient();
  const [base, begin] = useState(draft);
  const isNewer = draft.detail.revision > base.detail.revision;
  const isOther = isNewer && draft.text !== base.text;
  // Its name or its switch was changed, and not its definition: what is written here stands over the same one as before.
  if (isNewer && !isOther) begin(draft);
  const put = async (json: string) => {
    const { id, revision } = base.detail;
    try {
      return await saveDraft(id, revision, json);
    } catch (error) {
      if (!isStale(error)) throw error;
      const now = await queryClient.fetchQuery({ ...workflowQuery(id), staleTime: 0 });
      if (now.text !== base.text) throw error;
      return saveDraft(id, now.detail.revision, json);
    }
  };
  return { begin, isOther, put };
}

function isStale(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 412;
}

/** Asks before what was written is left behind. */
function Leaving({ isDirty }: { isDirty: boolean }) {
  const blocker = useBlocker({ shouldBlockFn: () => isDirty, enableBeforeUnload: () => isDirty, withResolver: true });
  return (
    <Confirm
      isOpen={blocker.status === "blocked"}
      onClose={() => blocker.reset?.()}
      title="Leave without saving?"
      verb="Leave"
      keep="Stay"
      onConfirm={() => blocker.proceed?.()}
    >
      What was written since the last save is not kept.
    </Confirm>
  );
}
