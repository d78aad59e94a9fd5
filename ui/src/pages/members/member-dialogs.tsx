import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Dialog } from "@/components/ui/dialog";
import { useAction } from "@/components/ui/use-action";
import { meQuery } from "@/lib/me";
import { type Member, membersQuery } from "@/lib/people";
import { ROLE_MAY, type Role, isAbove } from "@/lib/roles";
import { endSession } from "@/lib/session";
import { INVITATIONS, changeRole, leave, removeMember } from "./api";

interface RoleDialogProps {
  member: Member;
  role: Role;
  isSelf: boolean;
  onClose: () => void;
}

/** Asks before a member gets another role: it takes hold at once, for their API keys as well. */
export function RoleDialog({ member, role, isSelf, onClose }: RoleDialogProps) {
  const { mutate, isPending } = useAction(membersQuery.queryKey, INVITATIONS, meQuery.queryKey);
  const who = isSelf ? "You" : member.name;
  const isLess = isAbove(member.role, role);
  const confirm = () =>
    mutate(
      {
        failure: `${who} ${isSelf ? "stay" : "stays"} ${member.role}.`,
        work: async () => {
          await changeRole(member.id, role);
          return `${who} ${isSelf ? "are" : "is"} ${role} now.`;
        },
      },
      { onSettled: onClose },
    );
  return (
    <Dialog
      isOpen
      onClose={onClose}
      title={`Make ${isSelf ? "yourself" : member.name} ${role}?`}
      actions={
        <>
          <Button onClick={onClose}>Leave it as it is</Button>
          <Button kind={isLess ? "danger" : "primary"} isBusy={isPending} onClick={confirm}>
            Make {isSelf ? "me" : "them"} {role}
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-2">
        <p className="wrap-anywhere">
          {who} {isSelf ? "are" : "is"} {member.role}. Whoever is {role} {ROLE_MAY[role]}
          {role === "viewer" ? "." : ", and all that the roles below may."}
        </p>
        <p className="text-ink-2">It takes hold within 5 seconds, for API keys as well.</p>
        {isLess && <p className="text-ink-2">Invitations that {isSelf ? "you" : "they"} have made and nobody has accepted yet are void.</p>}
      </div>
    </Dialog>
  );
}

/** Asks before a member is removed, or leaves. */
export function RemoveDialog({ member, isSelf, onClose }: Omit<RoleDialogProps, "role">) {
  const { mutate, isPending } = useAction(membersQuery.queryKey, INVITATIONS);
  const queryClient = useQueryClient();
  const navigate = useNavigate();
  const me = useQuery(meQuery).data;
  const remove = async () => {
    if (!isSelf || me === undefined) {
      await removeMember(member.id);
      return `${member.name} is no member any more.`;
    }
    await leave(me.workspace.id);
    // Nothing of the workspace may be seen for even a moment.
    queryClient.clear();
    endSession();
    await navigate({ to: "/signin" });
    return "You have left the workspace. Sign in to another one.";
  };
  return (
    <Confirm
      isOpen
      onClose={onClose}
      title={isSelf ? "Leave the workspace?" : `Remove ${member.name}?`}
      verb={isSelf ? "Leave" : "Remove"}
      keep={isSelf ? "Stay" : "Keep them"}
      isBusy={isPending}
      onConfirm={() => mutate({ failure: isSelf ? "You are still a member." : `${member.name} was not removed.`, work: remove }, { onSettled: onClose })}
    >
      {isSelf
        ? "Your sign-ins to this workspace and your API keys in it end within 5 seconds. What you made stays. To come back you need an invitation."
        : "Their sign-ins to this workspace and their API keys in it end within 5 seconds. What they made stays."}
    </Confirm>
  );
}
