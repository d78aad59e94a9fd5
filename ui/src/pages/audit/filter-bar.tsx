import { useNavigate } from "@tanstack/react-router";
import type { RefObject } from "react";
import { Button } from "@/components/ui/button";
import { Search, Select } from "@/components/ui/field";
import { PeriodSelect } from "@/components/ui/period-select";
import { nameOf } from "@/lib/people";
import type { Member } from "@/lib/people";
import { type AuditFilters, KINDS, OUTCOMES, readAuditFilters } from "./filters";
import { sayAction } from "./words";

const ANY = "";

interface FilterBarProps {
  filters: AuditFilters;
  members: readonly Member[] | undefined;
  searchField: RefObject<HTMLInputElement | null>;
}

/** The filters of the log. Each change is a change of the address. */
export function FilterBar({ filters, members, searchField }: FilterBarProps) {
  const navigate = useNavigate({ from: "/audit" });
  const change = (next: Record<string, unknown>) =>
    void navigate({ search: readAuditFilters({ ...filters, ...next }), replace: true });
  const { action, user } = filters;
  const isKnownUser = user === undefined || members?.some((member) => member.id === user) === true;
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pb-3 md:px-6">
      <Select label="Action" value={action ?? ANY} onChange={(event) => change({ action: event.target.value })}>
        <option value={ANY}>Any action</option>
        {action !== undefined && !(action in KINDS) && <option value={action}>{sayAction(action)}</option>}
        {Object.entries(KINDS).map(([kind, label]) => (
          <option key={kind} value={kind}>
            {label}
          </option>
        ))}
      </Select>
      <Select label="Outcome" value={filters.outcome ?? ANY} onChange={(event) => change({ outcome: event.target.value })}>
        <option value={ANY}>Done or refused</option>
        {Object.entries(OUTCOMES).map(([key, label]) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
      </Select>
      <Select label="By" value={user ?? ANY} onChange={(event) => change({ user: event.target.value })}>
        <option value={ANY}>Anybody</option>
        {user !== undefined && !isKnownUser && <option value={user}>{nameOf(members, user)}</option>}
        {members?.map(({ id, name }) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </Select>
      <PeriodSelect period={filters.period} onChange={(period) => change({ period })} />
      <Search
        field={searchField}
        label="Search in entries"
        className="max-w-80 min-w-40 flex-1"
        text={filters.q ?? ""}
        onText={(text) => change({ q: text.trim() })}
      />
      {Object.keys(filters).length > 0 && (
        <Button kind="quiet" icon="close" onClick={() => void navigate({ search: {}, replace: true })}>
          Clear filters
        </Button>
      )}
    </div>
  );
}
