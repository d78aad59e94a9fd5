import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef } from "react";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toasts";
import type { Schemas } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { ApiProblem } from "@/lib/problem";
import { SIGN_INS, changePassword } from "./api";
import { describeRefusal } from "./refusal";
import { Section } from "./section";

interface AccountProps {
  user: Schemas["UserView"];
  hasPassword: boolean;
}

/** One's own account: whose it is, and what opens it. */
export function Account({ user, hasPassword }: AccountProps) {
  return (
    <Section title="Your account" lead={`${user.name}, ${user.email}`}>
      {hasPassword ? (
        <PasswordForm user={user} />
      ) : (
        <p className="text-ink-2">It has no password: you sign in through the provider alone.</p>
      )}
    </Section>
  );
}

/** Another password. Whoever knows the old one is out everywhere else. */
function PasswordForm({ user }: { user: Schemas["UserView"] }) {
  const form = useRef<HTMLFormElement>(null);
  const queryClient = useQueryClient();
  const change = useMutation({
    mutationFn: ({ current, renewed }: { current: string; renewed: string }) => changePassword(current, renewed),
    onSuccess: () => {
      form.current?.reset();
      toast("done", "Your password was changed. You are signed out everywhere else.");
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: SIGN_INS }),
  });
  const isWrong = change.error instanceof ApiProblem && change.error.code === "invalid_credentials";
  const faults = sortFaults(change.error, ["/current_password", "/new_password"]);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const passwords = { current: String(given.get("current")), renewed: String(given.get("renewed")) };
    // The form stays: without this, both passwords would as well.
    change.mutate(passwords, { onSuccess: () => change.reset() });
  };
  return (
    <form ref={form} onSubmit={submit} className="flex max-w-sm flex-col gap-3">
      {/* So that password managers know whose password it is. */}
      <input type="text" name="username" autoComplete="username" value={user.email} readOnly hidden />
      <Field
        label="Current password"
        name="current"
        type="password"
        autoComplete="current-password"
        required
        error={isWrong ? "It is another one." : faults.at.get("/current_password")}
      />
      <Field
        label="New password"
        name="renewed"
        type="password"
        autoComplete="new-password"
        minLength={12}
        maxLength={128}
        required
        hint="12 to 128 characters of any kind"
        error={faults.at.get("/new_password")}
      />
      <FormError>{isWrong ? undefined : faults.at.size > 0 ? faults.rest : describeRefusal(change.error)}</FormError>
      <Button type="submit" className="self-start" isBusy={change.isPending}>
        Change the password
      </Button>
    </form>
  );
}
