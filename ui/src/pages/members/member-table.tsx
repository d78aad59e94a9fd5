import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { IconButton } from "@/components/ui/button";
import { Select } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { meQuery, usePermission } from "@/lib/me";
import type { Member } from "@/lib/people";
import { RemoveDialog, RoleDialog } from "./member-dialogs";
import { ROLES, type Role, whyNotRemove } from "./roles";

type Open = { kind: "role"; member: Member; role: Role } | { kind: "remove"; member: Member };

/** Who is in the workspace, as what. */
export function MemberTable({ members }: { members: readonly Member[] }) {
  const me = useQuery(meQuery).data;
  const mayGive = usePermission("roles:write");
  const mayRemove = usePermission("members:write");
  const [open, setOpen] = useState<Open>();
  const owners = members.filter((member) => member.role === "owner").length;
  const close = () => setOpen(undefined);
  return (
    <div className="rounded-control border border-line bg-surface">
      <table className="w-full text-left">
        <thead className="text-xs text-ink-3">
          <tr>
            <th className="px-3 py-2 font-normal">Name</th>
            <th className="px-3 py-2 font-normal">Role</th>
            <th className="hidden px-3 py-2 font-normal md:table-cell">Since</th>
            <th className="w-12 px-2 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {members.map((member) => (
            <tr key={member.id} className="border-t border-line hover:bg-canvas" data-member={member.email}>
              <td className="px-3 py-2">
                <p className="font-semibold wrap-anywhere">
                  {member.name}
                  {member.id === me?.user.id && <span className="ml-2 font-normal text-ink-3">You</span>}
                </p>
                <p className="text-xs text-ink-3 wrap-anywhere">{member.email}</p>
              </td>
              <td className="px-3 py-2">
                <RoleCell
                  member={member}
                  isFixed={!mayGive || (member.role === "owner" && owners === 1)}
                  mayGive={mayGive}
                  onRole={(role) => setOpen({ kind: "role", member, role })}
                />
              </td>
              <td className="hidden px-3 py-2 text-ink-2 md:table-cell">
                <Moment at={member.joined_at} isRelative />
              </td>
              <td className="px-2 py-1 text-right">
                <RemoveButton
                  member={member}
                  isSelf={member.id === me?.user.id}
                  why={whyNotRemove(
                    { role: member.role, isSelf: member.id === me?.user.id, isLastOwner: member.role === "owner" && owners === 1 },
                    { role: me?.role ?? "viewer", mayRemove },
                  )}
                  onRemove={() => setOpen({ kind: "remove", member })}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {open?.kind === "role" && <RoleDialog member={open.member} role={open.role} isSelf={open.member.id === me?.user.id} onClose={close} />}
      {open?.kind === "remove" && <RemoveDialog member={open.member} isSelf={open.member.id === me?.user.id} onClose={close} />}
    </div>
  );
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
