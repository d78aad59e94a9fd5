import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type KeyboardEvent, useEffect, useId, useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Icon } from "@/components/ui/icon";
import { workflowsByNameQuery } from "@/features/workflows/api";
import { classNames } from "@/lib/class-names";
import { DENSITY_LABELS, ZONE_LABELS, prefer } from "@/lib/preferences";
import { THEME_LABELS, setTheme } from "@/lib/theme";
import { useSettledText } from "@/lib/use-settled";
import { type Destination, findDestinations, moveIn } from "./destinations";
import { useMyPages } from "./rail";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

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
  const [at, setAt] = useState(0);
  const found = useDestinations(typed.trim(), onHelp);
  const list = useId();
  const chosen = found[Math.min(at, found.length - 1)];
  useEffect(() => {
    if (chosen !== undefined) document.getElementById(`${list}${chosen.id}`)?.scrollIntoView({ block: "nearest" });
  }, [chosen, list]);
  const go = (destination: Destination | undefined) => {
    if (destination === undefined) return;
    onClose();
    destination.go();
  };
  const steer = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") go(chosen);
    else if (["ArrowDown", "ArrowUp"].includes(event.key)) setAt(moveIn(found.length, at, event.key));
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
          setAt(0);
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
            onPoint={() => setAt(index)}
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
function choicesOf(what: string, labels: Readonly<Record<string, string>>, choose: (value: string) => void): Destination[] {
  return Object.entries(labels).map(([value, name]) => ({ id: `${what}${value}`.replaceAll(" ", ""), label: `${what}: ${name}`, icon: "sun", go: () => choose(value) }));
}

/** Pages and what they do first, then workflows, then runs. */
function useDestinations(typed: string, onHelp: () => void): readonly Destination[] {
  const navigate = useNavigate();
  const pages = useMyPages();
  const named = useQuery(workflowsByNameQuery(useSettledText(typed === "" ? undefined : typed))).data?.items ?? [];
  const fixed: Destination[] = [
    ...pages.map(({ to, label, icon }) => ({ id: to, label, icon, go: () => void navigate({ to }) })),
    ...choicesOf("Theme", THEME_LABELS, setTheme),
    ...choicesOf("Times", ZONE_LABELS, (value) => prefer("zone", value)),
    ...choicesOf("Rows of lists", DENSITY_LABELS, (value) => prefer("density", value)),
    { id: "keys", label: "Keyboard shortcuts", icon: "keyboard", go: onHelp },
  ];
  const workflows = (typed === "" ? [] : named).map(({ id, name }): Destination => ({
    id,
    label: name,
    kind: "workflow",
    icon: "workflows",
    go: () => void navigate({ to: "/workflows/$workflowId", params: { workflowId: id } }),
  }));
  const runId = UUID.test(typed) ? typed : undefined;
  const run: Destination[] =
    runId === undefined ? [] : [{ id: "run", label: runId, kind: "run", icon: "runs", go: () => void navigate({ to: "/runs/$runId", params: { runId } }) }];
  const runs: Destination[] =
    typed === "" ? [] : [{ id: "runs", label: `Runs with “${typed}”`, icon: "search", go: () => void navigate({ to: "/runs", search: { q: typed } }) }];
  return [...run, ...findDestinations(fixed, typed), ...findDestinations(workflows, typed), ...runs];
}
