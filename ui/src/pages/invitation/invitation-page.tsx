import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useLocation, useRouter } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { Button, buttonClass } from "@/components/ui/button";
import { Door, FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { Moment } from "@/components/ui/moment";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { sortFaults } from "@/lib/faults";
import { ApiProblem, tellTooMany } from "@/lib/problem";
import { acceptTokens } from "@/lib/session";
import { type Offer, accept, isGone, readOffer, readToken } from "./api";
import { ProviderWays } from "./provider-ways";

/** Where the link of an invitation leads: somebody new makes an account, who has one joins with it. */
export function InvitationPage() {
  const token = readToken(useLocation({ select: ({ hash }) => hash }));
  const offer = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => readOffer(token ?? ""),
    enabled: token !== undefined,
    // Asked for once: what is typed into the form must not vanish under the fingers.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  if (token === undefined) return <Void message="The link of an invitation is longer than this one: copy the whole of it." />;
  if (isGone(offer.error)) return <Void message={offer.error.message} />;
  if (offer.data === undefined) {
    return <main>{offer.isError ? <ErrorState isPage error={offer.error} onRetry={() => void offer.refetch()} /> : <LoadingRows />}</main>;
  }
  return <Acceptance key={token} token={token} offer={offer.data} />;
}

/** The invitation is used up, expired, taken back, or none. */
function Void({ message }: { message: string }) {
  return (
    <Door title="This invitation cannot be accepted" lead={message}>
      <div className="mt-4 flex">
        <Link to="/signin" className={buttonClass("secondary")}>
          To the sign-in
        </Link>
      </div>
    </Door>
  );
}

function Acceptance({ token, offer }: { token: string; offer: Offer }) {
  const router = useRouter();
  const queryClient = useQueryClient();
  const isNew = !offer.has_account;
  const joining = useMutation({
    mutationFn: ({ password, name }: { password: string; name: string | null }) => accept(token, password, name),
    onSuccess: (tokens) => {
      // Whoever was signed in here before: nothing of theirs may be seen.
      queryClient.clear();
      acceptTokens(tokens);
      router.history.replace("/");
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    joining.mutate({ password: String(form.get("password") ?? ""), name: isNew ? String(form.get("name") ?? "") : null });
  };
  if (isGone(joining.error)) return <Void message={joining.error.message} />;
  const { at, rest } = sortFaults(joining.error, ["/name", "/password"]);
  return (
    <Door title={`Join ${offer.workspace}`} lead={`You are invited as ${offer.role}.`}>
      {offer.has_account && !offer.has_password ? (
        <p className="mt-4 text-ink-2">Your account has no password: join through the provider.</p>
      ) : (
        <form onSubmit={submit} className="mt-4 flex flex-col gap-4">
          {isNew && <Field label="Your name" name="name" autoComplete="name" required maxLength={200} autoFocus error={at.get("/name")} />}
          {/* Password managers keep what is typed under the name that they find. */}
          <Field label="Email" type="email" autoComplete="username" readOnly value={offer.email} />
          <Field
            label="Password"
            name="password"
            type="password"
            required
            autoFocus={!isNew}
            {...(isNew
              ? { autoComplete: "new-password", minLength: 12, maxLength: 128, hint: "At least 12 characters, of any kind." }
              : { autoComplete: "current-password", hint: "You have an account: give its password." })}
            error={at.get("/password")}
          />
          <FormError>{explain(joining.error) ?? rest}</FormError>
          <Button type="submit" kind="primary" isBusy={joining.isPending}>
            {joining.isPending ? "Joining" : isNew ? "Make my account" : "Join"}
          </Button>
        </form>
      )}
      <ProviderWays token={token} email={offer.email} isOnlyWay={offer.has_account && !offer.has_password} />
      <p className="mt-4 text-xs text-ink-3">
        The link is good for one use. It expires <Moment at={offer.expires_at} isRelative />.
      </p>
    </Door>
  );
}

/** What a refusal means here, where the API's sentence says too little. */
function explain(error: unknown): string | undefined {
  if (!(error instanceof ApiProblem)) return undefined;
  return tellTooMany(error) ?? (error.code === "invalid_credentials" ? "This is not the password of your account." : undefined);
}
