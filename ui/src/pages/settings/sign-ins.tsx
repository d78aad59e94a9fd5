import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { Loaded } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { useAction } from "@/components/ui/use-action";
import { workspacesQuery } from "@/lib/workspaces";
import { describeDevice } from "./device";
import { SIGN_INS, type SignIn, endOtherSignIns, endSignIn, signInsQuery } from "./api";
import { Section } from "./section";

/** Where one is signed in, and the way out of there. */
export function SignIns() {
  const query = useQuery(signInsQuery);
  const workspaces = useQuery(workspacesQuery).data?.items;
  const [isAsking, setIsAsking] = useState(false);
  const action = useAction(SIGN_INS);
  const nameOf = (id: string) => workspaces?.find((workspace) => workspace.id === id)?.name ?? "a workspace that you have left";
  const end = ({ id }: SignIn) =>
    action.mutate({
      failure: "The sign-in goes on.",
      work: async () => {
        await endSignIn(id);
        return "It is signed out, everywhere within 5 seconds.";
      },
    });
  return (
    <Section title="Sign-ins" lead="Each browser and each workspace is one of its own.">
      <Loaded query={query} rows={3}>
        {({ items }) => (
          <ul aria-label="Sign-ins">
            {items.map((signIn) => (
              <Row
                key={signIn.id}
                signIn={signIn}
                where={workspaces === undefined ? "…" : nameOf(signIn.workspace_id)}
                isBusy={action.isPending}
                onEnd={() => end(signIn)}
              />
            ))}
          </ul>
        )}
      </Loaded>
      {query.data !== undefined && query.data.items.length > 1 && (
        <Button className="mt-3" isBusy={action.isPending} onClick={() => setIsAsking(true)}>
          Sign out everywhere else
        </Button>
      )}
      <Confirm
        isOpen={isAsking}
        onClose={() => setIsAsking(false)}
        title="Sign out everywhere else?"
        verb="Sign out"
        keep="Stay signed in"
        onConfirm={() => {
          setIsAsking(false);
          action.mutate({
            failure: "The other sign-ins go on.",
            work: async () => {
              await endOtherSignIns();
              return "You are signed out everywhere else.";
            },
          });
        }}
      >
        All of your sign-ins but this one end within 5 seconds. API keys stay.
      </Confirm>
    </Section>
  );
}

function Row({ signIn, where, isBusy, onEnd }: { signIn: SignIn; where: string; isBusy: boolean; onEnd: () => void }) {
  const { created_at, expires_at, last_used_at, address, user_agent, is_current } = signIn;
  return (
    <li className="flex min-h-12 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-t border-line py-2 first:border-t-0">
      <div className="min-w-0">
        <p className="wrap-anywhere">
          <span className="font-semibold">{where}</span>
          {is_current && <span className="ml-2 rounded-chip border border-line-strong px-1 text-xs text-ink-2">this one</span>}
        </p>
        <p className="text-sm text-ink-2 wrap-anywhere" title={user_agent ?? undefined}>
          {describeDevice(user_agent)}
          {address !== null && ` from ${address}`}, last used <Moment at={last_used_at} />
        </p>
        <p className="text-xs text-ink-3">
          since <Moment at={created_at} />, until <Moment at={expires_at} /> at the latest
        </p>
      </div>
      {!is_current && (
        <Button aria-label={`Sign out ${describeDevice(user_agent)} of ${where}`} isBusy={isBusy} onClick={onEnd}>
          Sign out
        </Button>
      )}
    </li>
  );
}
