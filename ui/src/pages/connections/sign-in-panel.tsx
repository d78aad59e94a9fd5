import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Icon } from "@/components/ui/icon";
import { Moment } from "@/components/ui/moment";
import { Allowed } from "@/features/permissions/allowed";
import { usePeople } from "@/lib/people";
import { describeError } from "@/lib/problem";
import type { ConnectionDetail } from "./api";
import { type Authorization, beginSignIn, failureOf, reasonOf } from "./authorization";
import type { Outcome } from "./outcome";
import { Redirect } from "./secret-fields";

/** Whether somebody has signed in at the other system, and the way to do it. */
export function SignInPanel({ connection }: { connection: ConnectionDetail }) {
  const { authorization } = connection;
  const begin = useMutation({
    mutationFn: () => beginSignIn(connection.id),
    onSuccess: (url) => location.assign(url),
  });
  if (authorization === null) return null;
  const isNeeded = authorization.status === "needed";
  return (
    <section aria-labelledby="sign-in-there" className="flex flex-col gap-3 rounded-control border border-line bg-surface p-4">
      <h2 id="sign-in-there" className="text-lg font-semibold">
        Sign-in
      </h2>
      {isNeeded ? <p>{reasonOf(authorization.reason)}</p> : <Granted authorization={authorization} />}
      {authorization.message !== null && <p className="text-failed wrap-anywhere">{authorization.message}</p>}
      <Redirect address={authorization.redirect_uri} />
      <FormError>{begin.isError ? describeError(begin.error) : undefined}</FormError>
      <Allowed to="connections:write" why="It takes an admin to sign in.">
        <div>
          <Button kind={isNeeded ? "primary" : "secondary"} icon="link" isBusy={begin.isPending || begin.isSuccess} onClick={() => begin.mutate()}>
            {isNeeded ? "Sign in" : "Sign in again"}
          </Button>
        </div>
      </Allowed>
    </section>
  );
}

function Granted({ authorization: { granted_by: by, granted_at: at, expires_at: end, scope } }: { authorization: Authorization }) {
  const nameOf = usePeople();
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
      <dt className="text-ink-3">Signed in</dt>
      <dd className="wrap-anywhere">
        {by !== null && `by ${nameOf(by)} `}
        {at !== null && <Moment at={at} isRelative />}
      </dd>
      {end !== null && (
        <>
          <dt className="text-ink-3">Token until</dt>
          <dd>
            <Moment at={end} isRelative />
          </dd>
        </>
      )}
      {scope !== null && (
        <>
          <dt className="text-ink-3">Scope</dt>
          <dd className="font-mono text-xs wrap-anywhere">{scope}</dd>
        </>
      )}
    </dl>
  );
}

/** What a sign-in has come back with, above the list. */
export function OutcomeStrip({ outcome }: { outcome: Outcome }) {
  const navigate = useNavigate();
  if (outcome.authorization === undefined) return null;
  const isGranted = outcome.authorization === "granted";
  const { connection } = outcome;
  return (
    <div role={isGranted ? "status" : "alert"} className="mx-4 mb-4 flex flex-wrap items-center gap-3 rounded-control border border-line-strong bg-surface p-3 md:mx-6">
      <span className={isGranted ? "text-succeeded" : "text-failed"}>
        <Icon name={isGranted ? "check" : "warning"} />
      </span>
      <p className="min-w-0 grow wrap-anywhere">
        {isGranted ? "Signed in: steps with this connection work from now on." : failureOf(outcome.code)}
      </p>
      {connection !== undefined && (
        <Button onClick={() => void navigate({ to: "/connections/$connectionId", params: { connectionId: connection } })}>
          To the connection
        </Button>
      )}
      <Button kind="quiet" onClick={() => void navigate({ to: "/connections", search: {}, replace: true })}>
        Dismiss
      </Button>
    </div>
  );
}
