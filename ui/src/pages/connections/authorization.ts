import { authorizedFetch } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";
import { readProblem } from "@/lib/session";
import type { Connection } from "./api";

/** How the sign-in of a connection stands, where it is of the type that needs one. */
export interface Authorization {
  status: "needed" | "granted";
  reason: string | null;
  message: string | null;
  granted_by: string | null;
  granted_at: string | null;
  refreshed_at: string | null;
  expires_at: string | null;
  scope: string | null;
  redirect_uri: string;
}

/** Null for connections that need no sign-in. */
export function authorizationOf(connection: Connection): Authorization | null {
  return (connection as { authorization?: Authorization | null }).authorization ?? null;
}

/** Begin a sign-in at the other system: its address, to which the browser has to go. */
export async function beginSignIn(id: string): Promise<string> {
  const url = new URL(`/v1/connections/${id}/authorize`, location.origin);
  const headers = { "content-type": "application/json" };
  const response = await authorizedFetch(new Request(url, { method: "POST", headers, body: "{}" }));
  if (!response.ok) throw new ApiProblem(await readProblem(response), response);
  const { url: there } = (await response.json()) as { url: string };
  if (!/^https?:\/\//i.test(there)) throw new Error("The sign-in address of this connection is none.");
  return there;
}

/** Where the other system sends the browser back, as long as no connection tells. */
export function expectedRedirect(origin: string): string {
  return `${origin}/v1/connections/oauth/callback`;
}

const FAILURES: ReadonlyMap<string, string> = new Map(Object.entries({
  sign_in_unknown: "This sign-in is not known any more: it was used already, or took too long. Begin again.",
  sign_in_elsewhere: "This sign-in was begun in another browser. Begin again in this one.",
  session_ended: "Whoever began this sign-in is signed out of FlowForge, or may not do it any more.",
  connection_changed: "The connection was changed meanwhile. Begin again.",
  denied: "The sign-in was cancelled at the other system.",
  provider_refused: "The other system refused the sign-in. Look at the client id, the scope and the redirect address that it knows.",
  token_refused: "The other system gave no token. Look at the client secret and the token address.",
  token_unavailable: "The other system did not answer when it was asked for a token. Try again in a moment.",
}));

/** Why a sign-in failed, in words. */
export function failureOf(code: string | undefined): string {
  return FAILURES.get(code ?? "") ?? "The sign-in did not work. Begin again.";
}

const REASONS: ReadonlyMap<string, string> = new Map(Object.entries({
  never: "Nobody has signed in yet, so that steps with this connection fail.",
  refused: "The other system takes the last sign-in no more, so that steps with this connection fail.",
  ended: "The last sign-in has ended and cannot be renewed, so that steps with this connection fail.",
}));

/** Why a sign-in is needed, in words. */
export function reasonOf(reason: string | null): string {
  return REASONS.get(reason ?? "") ?? "Somebody has to sign in, so that steps with this connection work.";
}
