import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { type Column, Table } from "@/components/ui/table";
import { meQuery, usePermission } from "@/lib/me";
import type { Member } from "@/lib/people";
import { ROLES, type Role } from "@/lib/roles";
import { lastSeenQuery } from "./api";
import { RemoveDialog, RoleDialog } from "./member-dialogs";
import { whyNotRemove } from "./roles";

type Open = { kind: "role"; member: Member; role: Role } | { kind: "remove"; member: Member };

/** Who is in the workspace, as what. */
export function MemberTable({ members }: { members: readonly Member[] }) {
  const me = useQuery(meQuery).data;
  const mayGive = usePermission("roles:write");
  const mayRemove = usePermission("members:write");
  const [open, setOpen] = useState<Open>();
  const owners = members.filter((member) => member.role === "owner").length;
  const close = () => setOpen(undefined);
  const isLastOwner = (member: Member) => member.role === "owner" && owners === 1;
  const columns: Column<Member>[] = [
    {
      title: "Name",
      cell: ({ id, name, email }) => (
        <>
          <p className="font-semibold wrap-anywhere">
            <bdi>{name}</bdi>
            {id === me?.user.id && <span className="ml-2 font-normal text-ink-3">You</span>}
          </p>
          <p className="text-xs text-ink-3 wrap-anywhere">{email}</p>
          {mayRemove && (
            <p className="text-xs text-ink-3 md:hidden">
              Last seen <LastSeen id={id} />
            </p>
          )}
        </>
      ),
    },
    {
      title: "Role",
      cell: (member) => (
        <RoleCell
          member={member}
          isFixed={!mayGive || isLastOwner(member)}
          mayGive={mayGive}
          onRole={(role) => setOpen({ kind: "role", member, role })}
        />
      ),
    },
    ...(mayRemove ? [{ title: "Last seen", from: "md", look: "text-ink-2", cell: ({ id }) => <LastSeen id={id} /> } satisfies Column<Member>] : []),
    { title: "Since", from: "md", look: "text-ink-2", cell: ({ joined_at: at }) => <Moment at={at} isRelative /> },
    {
      title: "Actions",
      isForActions: true,
      width: "w-12",
      cell: (member) => {
        const isSelf = member.id === me?.user.id;
        const why = whyNotRemove(
          { role: member.role, isSelf, isLastOwner: isLastOwner(member) },
          { role: me?.role ?? "viewer", mayRemove },
        );
        return <RemoveButton member={member} isSelf={isSelf} why={why} onRemove={() => setOpen({ kind: "remove", member })} />;
      },
    },
  ];
  return (
    <>
      <Table label="Members" columns={columns} rows={members} keyOf={({ id }) => id} />
      {open?.kind === "role" && <RoleDialog member={open.member} role={open.role} isSelf={open.member.id === me?.user.id} onClose={close} />}
      {open?.kind === "remove" && <RemoveDialog member={open.member} isSelf={open.member.id === me?.user.id} onClose={close} />}
    </>
  );
}

/** Of a member; their sign-ins are forgotten once they are over. */
function LastSeen({ id }: { id: string }) {
  const { data: seen, isError } = useQuery(lastSeenQuery);
  if (seen === undefined) return isError ? "unknown" : "…";
  const at = seen.get(id) ?? null;
  return at === null ? "not lately" : <Moment at={at} isRelative />;
}

interface RoleCellProps {
  member: Member;
  isFixed: boolean;
  mayGive: boolean;
  onRole: (role: Role) => void;
}

function RoleCell({ member, isFixed, mayGive, onRole }: RoleCellProps) {
  if (!mayGive) return <span>{member.role}</span>;
  return (
    <Select
      label={`Role of ${member.name}`}
      value={member.role}
      disabled={isFixed}
      title={isFixed ? "The last owner stays one: give somebody else this role first." : undefined}
      onChange={(event) => {
        const role = ROLES.find((known) => known === event.target.value);
        if (role !== undefined && role !== member.role) onRole(role);
      }}
    >
      {ROLES.map((role) => (
        <option key={role} value={role}>
          {role}
        </option>
      ))}
    </Select>
  );
}

interface RemoveButtonProps {
  member: Member;
  isSelf: boolean;
  why: string | undefined;
  onRemove: () => void;
}

function RemoveButton({ member, isSelf, why, onRemove }: RemoveButtonProps) {
  const label = isSelf ? "Leave the workspace" : `Remove ${member.name}`;
  return (
    <IconButton
      label={label}
      icon={isSelf ? "signOut" : "trash"}
      disabled={why !== undefined}
      title={why ?? label}
      onClick={onRemove}
    />
  );
}
