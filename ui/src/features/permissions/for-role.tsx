import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Loaded } from "@/components/ui/loaded";
import { PermissionState } from "@/components/ui/states";
import { type Permission, meQuery } from "@/lib/me";
import { membersQuery } from "@/lib/people";

interface ForRoleProps {
  permission: Permission;
  /** Who is let in: "It takes an admin to read the audit log." */
  why: string;
  /** Made once it is known that they may: nothing is asked for that would be refused. */
  children: ReactNode;
}

/** A page for those whose role holds a permission; the others read which role it takes, and who gives it. */
export function ForRole({ permission, why, children }: ForRoleProps) {
  const query = useQuery(meQuery);
  const me = query.data;
  // What is known stays where it cannot be read anew: the line that says so stands above every page.
  if (me === undefined) return <Loaded query={query}>{() => null}</Loaded>;
  if (me.permissions.includes(permission)) return children;
  return (
    <PermissionState>
      <p>
        {why} You are {me.role}.
      </p>
      <Givers workspace={me.workspace.name} />
    </PermissionState>
  );
}

/** So many owners are named: more than one asks. */
const MOST = 3;

function Givers({ workspace }: { workspace: string }) {
  const owners = useQuery(membersQuery).data?.filter((member) => member.role === "owner");
  if (owners === undefined || owners.length === 0) return null;
  const names = owners.slice(0, MOST).map(({ name, email }) => `${name} (${email})`);
  return (
    <p className="mt-2">
      Roles in {workspace} are given by its owner{owners.length > 1 && "s"}: <bdi>{names.join(", ")}</bdi>
      {owners.length > MOST && ` and ${owners.length - MOST} more`}.
    </p>
  );
}
