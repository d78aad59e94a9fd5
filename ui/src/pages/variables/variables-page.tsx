import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { copyText } from "@/components/ui/copy-text";
import { Search } from "@/components/ui/field";
import { Loaded } from "@/components/ui/loaded";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { Allowed } from "@/features/permissions/allowed";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { readSearchText } from "@/lib/search-text";
import { useShortcuts } from "@/lib/shortcuts";
import { type Variable, variablesQuery } from "./api";
import { DeleteVariable } from "./delete-dialog";
import { search as find, nounOf, previewOf } from "./values";
import { ChangeVariable, NewVariable } from "./variable-dialog";

type Open = { kind: "new" } | { kind: "change" | "delete"; variable: Variable };

/** Values that all workflows of the workspace may read. */
export function VariablesPage() {
  const q = readSearchText(useSearch({ from: "/signed-in/variables" }).q) ?? "";
  const navigate = useNavigate({ from: "/variables" });
  const query = useQuery(variablesQuery);
  const [open, setOpen] = useState<Open>();
  const field = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search variables", run: () => field.current?.focus() }]);
  const all = query.data?.items;
  const taken = useMemo(() => new Set(all?.map(({ name }) => name)), [all]);
  const close = () => setOpen(undefined);
  const seek = (text: string) => void navigate({ search: text.trim() === "" ? {} : { q: text }, replace: true });
  return (
    <>
      <PageHeader title="Variables">
        {all !== undefined && all.length > 0 && (
          <Search field={field} label="Search name or value" className="w-56" text={q} onText={seek} />
        )}
        <Allowed to="variables:write" why="It takes an editor to change variables.">
          {/* Only then it is known which names are taken. */}
          <Button kind="primary" icon="plus" disabled={all === undefined} onClick={() => setOpen({ kind: "new" })}>
            New variable
          </Button>
        </Allowed>
      </PageHeader>
      <div className="px-4 md:px-6">
        <Loaded query={query}>
          {({ items }) => {
            if (items.length === 0) return <NoVariables />;
            const found = find(items, q);
            if (found.length > 0) return <VariableTable variables={found} onOpen={setOpen} />;
            return <EmptyState icon="search" title={`No variable holds “${q}”`} action={<Button onClick={() => seek("")}>Show all</Button>} />;
          }}
        </Loaded>
      </div>
      {open?.kind === "new" && <NewVariable taken={taken} onClose={close} />}
      {open?.kind === "change" && <ChangeVariable name={open.variable.name} onClose={close} />}
      {open?.kind === "delete" && <DeleteVariable name={open.variable.name} onClose={close} />}
    </>
  );
}

function NoVariables() {
  return (
    <EmptyState icon="braces" title="No variables yet">
      Steps read a variable as vars.NAME: addresses, limits, whatever several workflows share. Everybody in the workspace sees them.
    </EmptyState>
  );
}

interface TableProps {
  variables: readonly Variable[];
  onOpen: (open: Open) => void;
}

function VariableTable({ variables, onOpen }: TableProps) {
  const nameOf = usePeople();
  const columns: Column<Variable>[] = [
    {
      title: "Name",
      width: "md:w-64",
      cell: ({ name, value }) => (
        <>
          <p className="font-mono font-semibold wrap-anywhere">{name}</p>
          <p className="text-xs text-ink-3">{nounOf(value)}</p>
          <p className="truncate font-mono text-xs text-ink-2 sm:hidden">{previewOf(value)}</p>
        </>
      ),
    },
    { title: "Value", from: "sm", cell: ({ value }) => <p className="truncate font-mono text-xs text-ink-2">{previewOf(value)}</p> },
    {
      title: "Changed",
      from: "lg",
      width: "w-56",
      look: "text-ink-2 wrap-anywhere",
      cell: ({ updated_at: at, updated_by: by }) => (
        <>
          <Moment at={at} isRelative /> by <bdi>{nameOf(by)}</bdi>
        </>
      ),
    },
    { title: "Actions", isForActions: true, width: "w-14", cell: (variable) => <RowMenu variable={variable} onOpen={onOpen} /> },
  ];
  return <Table label="Variables" isFixed columns={columns} rows={variables} keyOf={({ name }) => name} />;
}

function RowMenu({ variable, onOpen }: { variable: Variable; onOpen: (open: Open) => void }) {
  const mayWrite = usePermission("variables:write");
  const expression = `{{ vars.${variable.name} }}`;
  return (
    <Menu trigger={<IconButton label={`Actions for ${variable.name}`} icon="more" />}>
      <MenuItem icon="copy" onSelect={() => void copyText(expression, expression)}>
        Copy as an expression
      </MenuItem>
      <MenuItem icon="edit" isDisabled={!mayWrite} onSelect={() => onOpen({ kind: "change", variable })}>
        Change
      </MenuItem>
      <MenuLine />
      <MenuItem icon="trash" isDangerous isDisabled={!mayWrite} onSelect={() => onOpen({ kind: "delete", variable })}>
        Delete
      </MenuItem>
    </Menu>
  );
}
