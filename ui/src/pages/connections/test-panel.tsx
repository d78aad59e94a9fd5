import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { Field } from "@/components/ui/field";
import { Icon } from "@/components/ui/icon";
import { formatDuration } from "@/lib/format";
import { sortFaults } from "@/lib/faults";
import { type ConnectionDetail, type TestResult, test } from "./api";

/** Makes a real call with the credentials, and tells what came of it. */
export function TestPanel({ connection }: { connection: ConnectionDetail }) {
  const run = useMutation({ mutationFn: (url: string) => test(connection.id, url) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    run.mutate(String(new FormData(event.currentTarget).get("url") ?? "").trim());
  };
  const first = connection.allowed_hosts.find((host) => !host.startsWith("*"));
  const { at, rest } = sortFaults(run.error, ["/url"]);
  return (
    <section aria-labelledby="test-connection" className="flex flex-col gap-3 rounded-control border border-line bg-surface p-4">
      <h2 id="test-connection" className="text-lg font-semibold">
        Test
      </h2>
      <form onSubmit={submit} className="flex flex-col gap-3">
        <Field
          label="Address to call"
          name="url"
          inputMode="url"
          autoComplete="off"
          spellCheck={false}
          maxLength={8192}
          placeholder={first === undefined ? "https://" : `https://${first}/`}
          hint={hintOf(connection, first)}
          error={at.get("/url")}
        />
        <FormError>{rest}</FormError>
        <div>
          <Button type="submit" icon="play" isBusy={run.isPending}>
            {run.isPending ? "Calling" : "Test"}
          </Button>
        </div>
      </form>
      <div role="status">{run.data !== undefined && <Result result={run.data} />}</div>
    </section>
  );
}

function hintOf({ type }: ConnectionDetail, first: string | undefined): string {
  const call = "A GET with the credentials of this connection, to a host that is allowed.";
  if (first !== undefined) return `${call} Empty: the first allowed host.`;
  return type === "oauth2_client_credentials" ? `${call} Empty: the token address alone.` : call;
}

function Result({ result }: { result: TestResult }) {
  return (
    <div className="flex flex-col gap-1">
      <p className="flex items-start gap-2">
        <span className={result.ok ? "pt-0.5 text-succeeded" : "pt-0.5 text-failed"}>
          <Icon name={result.ok ? "check" : "warning"} />
        </span>
        <span className="font-semibold">{result.ok ? "It works" : "It does not work"}</span>
      </p>
      <p className="wrap-anywhere">{result.message}</p>
      <p className="flex flex-wrap gap-x-3 font-mono text-xs text-ink-3">
        {result.status !== null && <span>status {result.status}</span>}
        {result.elapsed_ms !== null && <span>{formatDuration(result.elapsed_ms)}</span>}
        {result.code !== null && <span>{result.code}</span>}
      </p>
    </div>
  );
}
