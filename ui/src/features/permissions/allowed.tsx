import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { WhyNot } from "@/components/ui/why-not";
import { type Permission, meQuery } from "@/lib/me";

interface AllowedProps {
  to: Permission;
  /** Why not, for those who may not: "It takes an editor to change variables." */
  why: string;
  children?: ReactNode;
}

/** What those who may have in this place, and the reason for those who may not; nothing until it is known who they are. */
export function Allowed({ to, why, children }: AllowedProps) {
  const permissions = useQuery(meQuery).data?.permissions;
  if (permissions === undefined) return null;
  return permissions.includes(to) ? children : <WhyNot>{why}</WhyNot>;
}
