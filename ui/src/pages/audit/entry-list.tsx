import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { Moment } from "@/components/ui/moment";
import type { AuditEntry } from "./api";
import { sayAction, sayActor, saySide, sayTarget } from "./words";

/** The entries, the newest first. Each tells all that it says once it is opened. */
export function EntryList({ entries }: { entries: readonly AuditEntry[] }) {
  return (
    <ol aria-label="Entries" className="border-y border-line bg-surface md:rounded-control md:border-x">
      {entries.map((entry) => (
        <li key={entry.seq} data-seq={entry.seq} className="border-t border-line first:border-t-0">
          <Entry entry={entry} />
        </li>
      ))}
    </ol>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className="grid grid-cols-[minmax(0,1fr)_auto] content-center gap-x-3 px-3 py-row min-h-(--row) hover:bg-canvas md:grid-cols-[10rem_minmax(0,13rem)_minmax(0,1fr)_minmax(0,1fr)]">
        <span className="text-ink-2 max-md:order-2">
          <Moment at={entry.at} />
        </span>
        <span className="min-w-0 font-semibold wrap-anywhere max-md:order-1">
          {sayAction(entry.action)}
          {entry.outcome === "refused" && (
            <span className="ml-2 rounded-chip border border-line-strong px-1 text-xs font-normal text-ink-2">refused</span>
          )}
        </span>
        <span className="min-w-0 wrap-anywhere max-md:order-3 max-md:col-span-2">{sayTarget(entry)}</span>
        <span className="min-w-0 text-ink-2 wrap-anywhere max-md:order-4 max-md:col-span-2">{sayActor(entry)}</span>
      </summary>
      {isOpen && <Whole entry={entry} />}
    </details>
  );
}

function Whole({ entry }: { entry: AuditEntry }) {
  const { actor, target } = entry;
  const facts = [
    ["Action", entry.action],
    ["Target", target === null ? undefined : `${target.type} ${target.id}`],
    ["From", entry.address],
    ["Request", entry.request_id],
    ["Number", String(entry.seq)],
    ["Hash", entry.hash],
  ] as const;
  const sides = [
    ["Before", saySide(entry.before)],
    ["After", saySide(entry.after)],
  ] as const;
  return (
    <div className="flex flex-col gap-2 px-3 pt-1 pb-3">
      <dl className="grid grid-cols-[5rem_minmax(0,1fr)] gap-x-3 gap-y-1 text-xs">
        {facts.map(
          ([name, value]) =>
            value != null && (
              <div key={name} className="contents">
                <dt className="text-ink-3">{name}</dt>
                <dd className="font-mono wrap-anywhere">{value}</dd>
              </div>
            ),
        )}
      </dl>
      {sides.map(
        ([name, text]) =>
          text !== undefined && (
            <div key={name}>
              <p className="text-xs text-ink-3">{name}</p>
              <pre className="rounded-control bg-sunken p-2 font-mono text-xs wrap-anywhere whitespace-pre-wrap">{text}</pre>
            </div>
          ),
      )}
      <p className="flex flex-wrap gap-x-4 text-xs">
        <Link to="/audit" search={{ action: entry.action }} className="inline-block min-h-6 leading-6 underline">
          All of this action
        </Link>
        {actor.user_id !== null && (
          <Link to="/audit" search={{ user: actor.user_id }} className="inline-block min-h-6 leading-6 underline">
            All by this person
          </Link>
        )}
        {target !== null && (
          <Link to="/audit" search={{ target: target.id }} className="inline-block min-h-6 leading-6 underline">
            All that was done to it
          </Link>
        )}
      </p>
    </div>
  );
}
