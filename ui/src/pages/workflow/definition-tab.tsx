import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useBlocker } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "@/components/ui/button";
import { CodeField, type CodeFieldHandle } from "@/components/ui/code-field";
import { Confirm } from "@/components/ui/confirm";
import { Select } from "@/components/ui/field";
import { LoadingRows } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { Allowed } from "@/features/permissions/allowed";
import { WORKFLOWS } from "@/features/workflows/api";
import { meQuery, usePermission } from "@/lib/me";
import { describeError, isStale } from "@/lib/problem";
import { type Draft, saveDraft, workflowQuery } from "./api";
import { Conflict } from "./conflict";
import { FaultList } from "./fault-list";
import { type Base, type Kept, type Place, readKept, useKeeping } from "./kept-text";
import { FORMATS, type Format, readText, writeOrJson, writeText } from "./texts";
import { useFaults } from "./use-faults";

const NAMES = { json: "JSON", yaml: "YAML" } satisfies Record<Format, string>;
const NOT_AS_YAML = "The draft is shown as JSON: it could not be written as YAML without a change.";

interface DefinitionProps {
  draft: Draft;
  /** Told whether something is written that is not saved. */
  onUnsaved: (isUnsaved: boolean) => void;
}

/** The draft as a text, with every fault at its line. Nothing that was written is lost: not to others, nor by leaving. */
export function DefinitionTab({ draft, onUnsaved }: DefinitionProps) {
  const { data: me, isPending } = useQuery(meQuery);
  if (isPending) return <LoadingRows />;
  const owner = me === undefined ? "" : `${me.user.id} ${me.workspace.id}`;
  return <Opening draft={draft} place={{ owner, workflowId: draft.detail.id }} onUnsaved={onUnsaved} />;
}

function Opening({ draft, place, onUnsaved }: DefinitionProps & { place: Place }) {
  const [first, setFirst] = useState<First>();
  useEffect(() => {
    void open(draft, place).then(setFirst);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what others write meanwhile is told by the editor
  }, []);
  if (first === undefined) return <LoadingRows />;
  return <Editor draft={draft} place={place} first={first} onUnsaved={onUnsaved} />;
}

/** What the editor begins with: what was written in this tab and not saved, or the draft as it is saved. */
interface First extends Kept {
  clean: string;
}

/** What was kept is shown as it was written, also where the draft cannot be written in the same way. */
async function open(draft: Draft, place: Place): Promise<First> {
  const kept = readKept(place);
  const { text: clean } = await writeOrJson(draft.text, kept?.format ?? "json");
  if (kept === undefined) return { format: "json", text: clean, clean, base: baseOf(draft) };
  toast("done", "What you had written and not saved is here again.");
  return { ...kept, clean };
}

interface EditorProps extends DefinitionProps {
  place: Place;
  first: First;
}

function Editor({ draft, place, first, onUnsaved }: EditorProps) {
  const { detail } = draft;
  const queryClient = useQueryClient();
  const mayWrite = usePermission("workflows:write");
  const field = useRef<CodeFieldHandle>(null);
  const [format, setFormat] = useState(first.format);
  const [text, setText] = useState(first.text);
  const [clean, setClean] = useState(first.clean);
  const { base, begin, isOther, put } = useBase(draft, first.base);
  const [isSaving, setIsSaving] = useState(false);
  const isDirty = text !== clean;
  useEffect(() => {
    onUnsaved(isDirty);
    return () => onUnsaved(false);
  }, [isDirty, onUnsaved]);
  const leave = useKeeping(place, useMemo(() => (isDirty ? { format, text, base } : undefined), [isDirty, format, text, base]));
  const checked = useFaults(text, format);
  const show = async (shown: Draft) => {
    const written = await writeOrJson(shown.text, format);
    if (written.format !== format) toast("done", NOT_AS_YAML);
    setFormat(written.format);
    setText(written.text);
    setClean(written.text);
    begin(shown);
  };
  const followed = useRef<Draft>(undefined);
  useEffect(() => {
    if (isDirty || !isOther || followed.current === draft) return;
    followed.current = draft;
    void show(draft);
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
      const written = await writeText(json, next);
      if (!isDirty) setClean(written);
      setText(written);
      setFormat(next);
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
          {isDirty ? "Not saved yet: save it before you test or publish it." : "As it is saved"}
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
        faults={new Map(checked.faults.map(({ line, message }) => [line, message]))}
        handle={field}
        rows={24}
      />
      <FaultList checked={checked} onShow={(line) => field.current?.goTo(line)} />
      <Leaving isDirty={isDirty} onLeave={leave} />
    </div>
  );
}

function baseOf({ detail, text }: Draft): Base {
  return { revision: detail.revision, text };
}

/** The draft that a text began with, and the way to save over that one and no other. */
function useBase(draft: Draft, first: Base) {
  const queryClient = useQueryClient();
  const [base, setBase] = useState(first);
  const begin = (saved: Draft) => setBase(baseOf(saved));
  const isNewer = draft.detail.revision > base.revision;
  const isOther = isNewer && draft.text !== base.text;
  // Its name or its switch was changed, and not its definition: what is written here stands over the same one as before.
  if (isNewer && !isOther) begin(draft);
  const put = async (json: string) => {
    const { id } = draft.detail;
    try {
      return await saveDraft(id, base.revision, json);
    } catch (error) {
      if (!isStale(error)) throw error;
      const now = await queryClient.fetchQuery({ ...workflowQuery(id), staleTime: 0 });
      if (now.text !== base.text) throw error;
      return saveDraft(id, now.detail.revision, json);
    }
  };
  return { base, begin, isOther, put };
}

/** Asks before what was written is left behind. */
function Leaving({ isDirty, onLeave }: { isDirty: boolean; onLeave: () => void }) {
  const blocker = useBlocker({ shouldBlockFn: () => isDirty, enableBeforeUnload: () => isDirty, withResolver: true });
  return (
    <Confirm
      isOpen={blocker.status === "blocked"}
      onClose={() => blocker.reset?.()}
      title="Leave without saving?"
      verb="Leave"
      keep="Stay"
      onConfirm={() => {
        onLeave();
        blocker.proceed?.();
      }}
    >
      What was written since the last save is not kept.
    </Confirm>
  );
}
