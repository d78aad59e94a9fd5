import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { Confirm } from "@/components/ui/confirm";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { Loaded } from "@/components/ui/loaded";
import { Moment } from "@/components/ui/moment";
import { useAction } from "@/components/ui/use-action";
import { ApiProblem } from "@/lib/problem";
import { providersQuery } from "@/lib/providers";
import { IDENTITIES, type Identity, identitiesQuery, linkProvider, unlinkIdentity } from "./api";
import { describeRefusal } from "./refusal";
import { Section } from "./section";

/** Who one is at providers, which opens the account beside its password; not there where no provider is set up. */
export function ProviderLinks({ hasPassword }: { hasPassword: boolean }) {
  const query = useQuery(identitiesQuery);
  const providers = useQuery(providersQuery).data ?? [];
  const [unlinked, setUnlinked] = useState<Identity>();
  if (providers.length === 0 && (query.data?.items.length ?? 0) === 0) return null;
  return (
    <Section title="Providers" lead="Whoever you are there can sign in to your account here.">
      <Loaded query={query} rows={1}>
        {({ items }) => (
          <>
            {items.length === 0 && <p className="text-ink-2">None is linked to your account.</p>}
            <ul aria-label="Linked to your account">
              {items.map((identity) => (
                <Row
                  key={identity.id}
                  identity={identity}
                  isNeeded={!hasPassword && items.length === 1}
                  onUnlink={() => setUnlinked(identity)}
                />
              ))}
            </ul>
          </>
        )}
      </Loaded>
      {hasPassword && providers.map(({ name }) => <LinkForm key={name} provider={name} />)}
      {unlinked !== undefined && <UnlinkDialog identity={unlinked} onClose={() => setUnlinked(undefined)} />}
    </Section>
  );
}

interface RowProps {
  identity: Identity;
  /** Nothing else opens the account. */
  isNeeded: boolean;
  onUnlink: () => void;
}

function Row({ identity: { issuer, email, created_at: since, last_used_at: used }, isNeeded, onUnlink }: RowProps) {
  return (
    <li className="flex min-h-12 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-t border-line py-2 first:border-t-0">
      <div className="min-w-0">
        <p className="font-semibold wrap-anywhere">{email ?? "No email is known"}</p>
        <p className="text-xs text-ink-3 wrap-anywhere">
          {issuer}, since <Moment at={since} />, used <Moment at={used} isRelative />
        </p>
      </div>
      <Button
        aria-label={`Unlink ${email ?? issuer}`}
        disabled={isNeeded}
        title={isNeeded ? "Your account has no password: without this, nothing would open it." : undefined}
        onClick={onUnlink}
      >
        Unlink
      </Button>
    </li>
  );
}

/** The password is asked for: who finds the browser open must not open the account for good. */
function LinkForm({ provider }: { provider: string }) {
  const link = useMutation({ mutationFn: linkProvider, onSuccess: (url) => location.assign(url) });
  const isWrong = link.error instanceof ApiProblem && link.error.code === "invalid_credentials";
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    link.mutate(String(new FormData(event.currentTarget).get("password")));
  };
  return (
    <form onSubmit={submit} className="mt-3 flex max-w-sm flex-col gap-3">
      <Field
        label="Your password"
        name="password"
        type="password"
        autoComplete="current-password"
        required
        error={isWrong ? "It is another one." : undefined}
      />
      <FormError>{isWrong ? undefined : describeRefusal(link.error)}</FormError>
      <Button type="submit" icon="link" className="max-w-full self-start" isBusy={link.isPending || link.isSuccess}>
        <span className="truncate">Link {provider}</span>
      </Button>
    </form>
  );
}

function UnlinkDialog({ identity: { id, email, issuer }, onClose }: { identity: Identity; onClose: () => void }) {
  const { mutate, isPending } = useAction(IDENTITIES);
  const who = email ?? issuer;
  const confirm = () =>
    mutate(
      {
        failure: `${who} still opens your account.`,
        work: async () => {
          await unlinkIdentity(id);
          return `${who} opens your account no more.`;
        },
      },
      { onSettled: onClose },
    );
  return (
    <Confirm isOpen onClose={onClose} title={`Unlink ${who}?`} verb="Unlink" isBusy={isPending} onConfirm={confirm}>
      Whoever signs in there cannot sign in here by it any more. Where they are signed in already, they stay.
    </Confirm>
  );
}
