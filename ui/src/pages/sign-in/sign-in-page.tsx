import { useMutation } from "@tanstack/react-query";
import { useRouter, useSearch } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { Button } from "@/components/ui/button";
import { Door, FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { publicApi, unwrap } from "@/lib/api";
import { describeError, tellTooMany } from "@/lib/problem";
import { acceptTokens } from "@/lib/session";
import { readSignIn } from "./next";
import { sentenceOf } from "./outcome";
import { Providers } from "./providers";

/** The way in for those who have an account. */
export function SignInPage() {
  const router = useRouter();
  // The router hands on what it does not know as well.
  const { next, error: code } = readSignIn({ ...useSearch({ from: "/signin" }) });
  const signIn = useMutation({
    mutationFn: (body: { email: string; password: string }) => unwrap(publicApi.POST("/v1/auth/login", { body })),
    onSuccess: (tokens) => {
      acceptTokens(tokens);
      router.history.replace(next ?? "/");
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    signIn.mutate({ email: String(form.get("email")), password: String(form.get("password")) });
  };
  return (
    <Door title="Sign in">
      <form onSubmit={submit} className="mt-4 flex flex-col gap-4">
        <Field label="Email" name="email" type="email" autoComplete="username" required autoFocus />
        <Field label="Password" name="password" type="password" autoComplete="current-password" required />
        <FormError>{signIn.isError ? (tellTooMany(signIn.error) ?? describeError(signIn.error)) : code !== undefined && signIn.isIdle ? sentenceOf(code) : undefined}</FormError>
        <Button type="submit" kind="primary" isBusy={signIn.isPending}>
          {signIn.isPending ? "Signing in" : "Sign in"}
        </Button>
      </form>
      <Providers next={next} />
    </Door>
  );
}
