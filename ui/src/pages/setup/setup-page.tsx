import { useMutation } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { Button } from "@/components/ui/button";
import { Door, FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { type Schemas, publicApi, unwrap } from "@/lib/api";
import { ApiProblem, describeError } from "@/lib/problem";
import { acceptTokens } from "@/lib/session";

const FIELDS = ["name", "email", "password", "workspace", "setup_token"] as const;
type FieldName = (typeof FIELDS)[number];

/** The first run: whoever is here first becomes the owner. */
export function SetupPage() {
  const router = useRouter();
  const setUp = useMutation({
    mutationFn: (body: Schemas["SetupRequest"]) => unwrap(publicApi.POST("/v1/setup", { body })),
    onSuccess: (tokens) => {
      acceptTokens(tokens);
      router.history.replace("/");
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: FieldName) => String(form.get(name) ?? "");
    setUp.mutate({
      name: text("name"),
      email: text("email"),
      password: text("password"),
      workspace: text("workspace"),
      setup_token: text("setup_token") || null,
    });
  };
  const faults = faultsOf(setUp.error);
  const isTokenAsked = setUp.error instanceof ApiProblem && setUp.error.code === "invalid_setup_token";
  return (
    <Door title="Set up FlowForge" lead="You will own this installation and its first workspace.">
      <form onSubmit={submit} className="mt-4 flex flex-col gap-4">
        <Field label="Your name" name="name" autoComplete="name" required maxLength={200} autoFocus error={faults.name} />
        <Field label="Email" name="email" type="email" autoComplete="username" required maxLength={254} error={faults.email} />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
          maxLength={128}
          hint="At least 12 characters, of any kind."
          error={faults.password}
        />
        <Field label="Workspace" name="workspace" required maxLength={200} defaultValue="Main" error={faults.workspace} />
        {isTokenAsked && (
          <Field
            label="Set-up token"
            name="setup_token"
            autoComplete="off"
            required
            hint="./flowforge up has printed it where it runs."
          />
        )}
        <FormError>{setUp.isError && Object.keys(faults).length === 0 ? describeError(setUp.error) : undefined}</FormError>
        <Button type="submit" kind="primary" isBusy={setUp.isPending}>
          {setUp.isPending ? "Setting up" : "Set up"}
        </Button>
      </form>
    </Door>
  );
}

/** What the API found wrong, by field. */
function faultsOf(error: unknown): Partial<Record<FieldName, string>> {
  if (!(error instanceof ApiProblem)) return {};
  const faults: Partial<Record<FieldName, string>> = {};
  for (const { pointer, message } of error.errors) {
    const field = FIELDS.find((name) => pointer === `/${name}`);
    if (field !== undefined) faults[field] ??= message;
  }
  return faults;
}
