import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useRef, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Search } from "@/components/ui/field";
import { Menu, MenuItem, MenuLine } from "@/components/ui/menu";
import { Moment } from "@/components/ui/moment";
import { PageHeader } from "@/components/ui/page-header";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { useAction } from "@/components/ui/use-action";
import { WhyNot } from "@/components/ui/why-not";
import { usePermission } from "@/lib/me";
import { usePeople } from "@/lib/people";
import { readSearchText } from "@/lib/search-text";
import { useShortcuts } from "@/lib/shortcuts";
import { VARIABLES, type Variable, remove, variablesQuery } from "./api";
import { UsedBy } from "./used-by";
import { search as find, nounOf, previewOf } from "./values";
import { VariableDialog } from "./variable-dialog";

type Open = { kind: "new" } | { kind: "change" | "delete"; variable: Variable };

/** Values that all workflows of the workspace may read. */
export function VariablesPage() {
  const q = readSearchText(useSearch({ from: "/signed-in/variables" }).q) ?? "";
  const navigate = useNavigate({ from: "/variables" });
  const query = useQuery(variablesQuery);
  const mayWrite = usePermission("variables:write");
  const [open, setOpen] = useState<Open>();
  const field = useRef<HTMLInputElement>(null);
  useShortcuts([{ key: "/", label: "Search variables", run: () => field.current?.focus() }]);
  const all = query.data?.items;
  const found = useMemo(() => (all === undefined ? undefined : find(all, q)), [all, q]);
  const taken = useMemo(() => new Set(all?.map(({ name }) => name)), [all]);
  const close = () => setOpen(undefined);
  const seek = (text: string) => void navigate({ search: text.trim() === "" ? {} : { q: text }, replace: true });
  return (
    <>
      <PageHeader title="Variables">
        {all !== undefined && all.length > 0 && (
          <Search field={field} label="Search name or value" className="w-56" text={q} onText={seek} />
        )}
        {all !== undefined &&
          (mayWrite ? (
            <Button kind="primary" icon="plus" onClick={() => setOpen({ kind: "new" })}>
              New variable
            </Button>
          ) : (
            <WhyNot>It takes an editor to change variables.</WhyNot>
          ))}
      </PageHeader>
      <div className="px-4 md:px-6">
        {query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.isPending && <LoadingRows />}
        {found !== undefined && found.length > 0 && <VariableTable variables={found} mayWrite={mayWrite} onOpen={setOpen} />}
        {all?.length === 0 && (
          <EmptyState icon="braces" title="No variables yet">
            Steps read a variable as vars.NAME: addresses, limits, whatever several workflows share. Everybody in the workspace sees them.
          </EmptyState>
        )}
        {all !== undefined && all.length > 0 && found?.length === 0 && (
          <EmptyState icon="search" title={`No variable holds “${q}”`} action={<Button onClick={() => seek("")}>Show all</Button>} />
        )}
      </div>
      {open?.kind === "new" && <VariableDialog taken={taken} onClose={close} />}
      {open?.kind === "change" && <VariableDialog variable={open.variable} taken={taken} onClose={close} />}
      {open?.kind === "delete" && <DeleteDialog variable={open.variable} onClose={close} />}
    </>
  );
}

interface TableProps {
  variables: readonly Variable[];
  mayWrite: boolean;
  onOpen: (open: Open) => void;
}

function VariableTable({ variables, mayWrite, onOpen }: TableProps) {
  const nameOf = usePeople();
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full table-fixed text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className="px-3 py-2 font-normal md:w-64">Name</th>
            <th className="hidden px-3 py-2 font-normal sm:table-cell">Value</th>
            <th className="hidden w-56 px-3 py-2 font-normal lg:table-cell">Changed</th>
            <th className="w-14 px-2 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {variables.map((variable) => (
            <tr key={variable.name} className="border-t border-line hover:bg-canvas">
              <td className="px-3 py-2">
                <p className="font-mono font-semibold wrap-anywhere">{variable.name}</p>
                <p className="text-xs text-ink-3">{nounOf(variable.value)}</p>
                <p className="truncate font-mono text-xs text-ink-2 sm:hidden">{previewOf(variable.value)}</p>
              </td>
              <td className="hidden px-3 py-2 sm:table-cell">
                <p className="truncate font-mono text-xs text-ink-2">{previewOf(variable.value)}</p>
              </td>
              <td className="hidden px-3 py-2 text-ink-2 wrap-anywhere lg:table-cell">
                <Moment at={variable.updated_at} isRelative /> by {nameOf(variable.updated_by)}
              </td>
              <td className="px-2 py-1 text-right">
                <RowMenu variable={variable} mayWrite={mayWrite} onOpen={onOpen} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function RowMenu({ variable, mayWrite, onOpen }: { variable: Variable; mayWrite: boolean; onOpen: (open: Open) => void }) {
  const { mutate } = useAction();
  const expression = `{{ vars.${variable.name} }}`;
  const copy = () =>
    mutate({
      failure: "It was not copied.",
      work: async () => {
        await navigator.clipboard.writeText(expression);
        return `${expression} was copied.`;
      },
    });
  return (
    <Menu trigger={<IconButton label={`Actions for ${variable.name}`} icon="more" />}>
      <MenuItem icon="copy" onSelect={copy}>
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

function DeleteDialog({ variable: { name, value }, onClose }: { variable: Variable; onClose: () => void }) {
  const { mutate, isPending } = useAction(VARIABLES);
  const confirm = () =>
    mutate(
      {
        failure: `${name} was not deleted.`,
        work: async () => {
          await remove(name);
          return `${name} was deleted.`;
        },
      },
      { onSettled: onClose },
    );
  return (
    <Confirm isOpen onClose={onClose} title={`Delete ${name}?`} verb="Delete" isBusy={isPending} onConfirm={confirm}>
      <div className="flex flex-col gap-3">
        <p>Steps that read vars.{name} fail from now on, in runs that start after this. Those under way keep the value.</p>
        <UsedBy name={name} />
        <p className="truncate font-mono text-xs text-ink-2">{previewOf(value)}</p>
      </div>
    </Confirm>
  );
}
