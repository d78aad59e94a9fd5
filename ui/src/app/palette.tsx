import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Icon } from "@/components/ui/icon";
import { workflowsByNameQuery } from "@/features/workflows/api";
import { classNames } from "@/lib/class-names";
import { readId } from "@/lib/id";
import { useSettledText } from "@/lib/use-settled";
import { VIEW_CHOICES, type ViewChoice } from "@/lib/view-choices";
import { type Destination, findDestinations, moveIn } from "./destinations";
import { useMyPages } from "./rail";

interface PaletteProps {
  onHelp: () => void;
}

/** The way to every page, workflow and run by typing; Ctrl+K, or Cmd+K, opens it from wherever one is. */
export function Palette({ onHelp }: PaletteProps) {
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    const open = (event: globalThis.KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
      // The browser's own meaning of it is of no use here, not even where another dialog is open already.
      event.preventDefault();
      if (document.querySelector("[data-modal]") === null) setIsOpen(true);
    };
    window.addEventListener("keydown", open);
    return () => window.removeEventListener("keydown", open);
  }, []);
  return (
    <>
      <IconButton label="Go to… (Ctrl+K)" icon="search" onClick={() => setIsOpen(true)} />
      {isOpen && <GoTo onClose={() => setIsOpen(false)} onHelp={onHelp} />}
    </>
  );
}

function GoTo({ onClose, onHelp }: PaletteProps & { onClose: () => void }) {
  const [typed, setTyped] = useState("");
  // What comes later must not move the choice: it is kept by what it is, and not by its place.
  const [chosenId, setChosenId] = useState<string>();
  const [isAwaited, setIsAwaited] = useState(false);
  const { found, isFirstSure } = useDestinations(typed.trim(), onHelp);
  const list = useId();
  const at = Math.max(0, found.findIndex(({ id }) => id === chosenId));
  const chosen = found[at];
  useEffect(() => {
    if (chosen !== undefined) document.getElementById(`${list}${chosen.id}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen, list]);
  const choose = (place: number) => {
    setChosenId(found[place]?.id);
    setIsAwaited(false);
  };
  const go = (destination: Destination | undefined) => {
    if (destination === undefined) return;
    onClose();
    destination.go();
  };
  const isSure = isFirstSure || chosen?.id === chosenId;
  useEffect(() => {
    if (!isAwaited || !isSure || chosen === undefined) return;
    onClose();
    chosen.go();
  }, [chosen, isAwaited, isSure, onClose]);
  const steer = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") setIsAwaited(true);
    else if (["ArrowDown", "ArrowUp"].includes(event.key)) choose(moveIn(found.length, at, event.key));
    else return;
    event.preventDefault();
  };
  return (
    <Dialog isOpen onClose={onClose} title="Go to">
      <input
        type="search"
        role="combobox"
        aria-label="Page, workflow or run"
        aria-expanded
        aria-controls={list}
        aria-autocomplete="list"
        aria-activedescendant={chosen === undefined ? undefined : `${list}${chosen.id}`}
        placeholder="Page, workflow or run"
        autoComplete="off"
        spellCheck={false}
        value={typed}
        onChange={(event) => {
          setTyped(event.target.value);
          setChosenId(undefined);
          setIsAwaited(false);
        }}
        onKeyDown={steer}
        className="h-8 w-full rounded-control border border-line-strong bg-surface px-2.5"
      />
      <ul id={list} role="listbox" aria-label="Found" className="mt-2 h-72 overflow-y-auto">
        {found.map((destination, index) => (
          <Entry
            key={destination.id}
            id={`${list}${destination.id}`}
            destination={destination}
            isChosen={destination === chosen}
            onPoint={() => choose(index)}
            onGo={() => go(destination)}
          />
        ))}
      </ul>
      <p role="status" className="sr-only">
        {found.length} found
      </p>
    </Dialog>
  );
}

interface EntryProps {
  id: string;
  destination: Destination;
  isChosen: boolean;
  onPoint: () => void;
  onGo: () => void;
}

function Entry({ id, destination: { label, kind, icon }, isChosen, onPoint, onGo }: EntryProps) {
  return (
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are heard by the field, which keeps the focus
    <li
      id={id}
      role="option"
      aria-selected={isChosen}
      onPointerMove={onPoint}
      onClick={onGo}
      className={classNames("flex h-9 cursor-pointer items-center gap-2 rounded-chip px-2", isChosen && "bg-sunken")}
    >
      <Icon name={icon} />
      <span dir="auto" className="min-w-0 grow truncate text-left">
        {label}
      </span>
      {kind !== undefined && <span className="text-xs text-ink-3">{kind}</span>}
    </li>
  );
}

/** Each choice of how the app looks. */
function choicesOf({ title, words, choose }: ViewChoice): Destination[] {
  return Object.entries(words).map(([name, word]) => ({ id: `${title}${name}`.replaceAll(" ", ""), label: `${title}: ${word}`, icon: "sun", go: () => choose(name) }));
}

interface Found {
  found: readonly Destination[];
  /** Whether the first of them stays the first, whatever is still being looked for. */
  isFirstSure: boolean;
}

/** Pages and what they do first, then workflows, then runs. */
function useDestinations(typed: string, onHelp: () => void): Found {
  const navigate = useNavigate();
  const pages = useMyPages();
  const wanted = typed === "" ? undefined : typed;
  const asked = useSettledText(wanted);
  const { data, isFetching } = useQuery(workflowsByNameQuery(asked));
  const named = data?.items ?? [];
  const fixed: Destination[] = [
    ...pages.map(({ to, label, icon }) => ({ id: to, label, icon, go: () => void navigate({ to }) })),
    ...Object.values(VIEW_CHOICES).flatMap(choicesOf),
    { id: "keys", label: "Keyboard shortcuts", icon: "keyboard", go: onHelp },
  ];
  const workflows = (typed === "" ? [] : named).map(({ id, name }): Destination => ({
    id,
    label: name,
    kind: "workflow",
    icon: "workflows",
    go: () => void navigate({ to: "/workflows/$workflowId", params: { workflowId: id } }),
  }));
  const runId = readId(typed);
  const run: Destination[] =
    runId === undefined ? [] : [{ id: "run", label: runId, kind: "run", icon: "runs", go: () => void navigate({ to: "/runs/$runId", params: { runId } }) }];
  const runs: Destination[] =
    typed === "" ? [] : [{ id: "runs", label: `Runs with “${typed}”`, icon: "search", go: () => void navigate({ to: "/runs", search: { q: typed } }) }];
  const known = [...run, ...findDestinations(fixed, typed)];
  return {
    found: [...known, ...findDestinations(workflows, typed), ...runs],
    isFirstSure: known.length > 0 || (asked === wanted && !isFetching),
  };
}
