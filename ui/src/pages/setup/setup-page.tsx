import { useMutation } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "@/components/ui/button";
import { Door, FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { type Schemas, publicApi, unwrap } from "@/lib/api";
import { sortFaults } from "@/lib/faults";
import { ApiProblem, tellTooMany } from "@/lib/problem";
import { acceptTokens } from "@/lib/session";

const FIELDS = ["name", "email", "password", "workspace", "setup_token"] as const;
type FieldName = (typeof FIELDS)[number];

/** The first run: whoever is here first becomes the owner. */
export function SetupPage() {
  const router = useRouter();
  // Once it was asked for, it stays: what goes wrong after that is something else, and what was typed is still meant.
  const [isTokenAsked, setIsTokenAsked] = useState(false);
  const setUp = useMutation({
    mutationFn: (body: Schemas["SetupRequest"]) => unwrap(publicApi.POST("/v1/setup", { body })),
    onSuccess: (tokens) => {
      acceptTokens(tokens);
      router.history.replace("/");
    },
    onError: (error) => {
      if (error instanceof ApiProblem && error.code === "invalid_setup_token") setIsTokenAsked(true);
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
  const faults = sortFaults(setUp.error, FIELDS.map((name) => `/${name}`));
  return (
    <Door title="Set up FlowForge" lead="You will own this installation and its first workspace.">
      <form onSubmit={submit} className="mt-4 flex flex-col gap-4">
        <Field label="Your name" name="name" autoComplete="name" required maxLength={200} autoFocus error={faults.at.get("/name")} />
        <Field label="Email" name="email" type="email" autoComplete="username" required maxLength={254} error={faults.at.get("/email")} />
        <Field
          label="Password"
          name="password"
          type="password"
          autoComplete="new-password"
          required
          minLength={12}
          maxLength={128}
          hint="At least 12 characters, of any kind."
          error={faults.at.get("/password")}
        />
        <Field label="Workspace" name="workspace" required maxLength={200} defaultValue="Main" error={faults.at.get("/workspace")} />
        {isTokenAsked && (
          <Field
            label="Set-up token"
            name="setup_token"
            autoComplete="off"
            required
            hint="./flowforge up has printed it where it runs."
            error={faults.at.get("/setup_token")}
          />
        )}
        <FormError>{tellTooMany(setUp.error) ?? faults.rest}</FormError>
        <Button type="submit" kind="primary" isBusy={setUp.isPending}>
          {setUp.isPending ? "Setting up" : "Set up"}
        </Button>
      </form>
    </Door>
  );
}
