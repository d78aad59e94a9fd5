import { type Schemas, api, unwrap } from "@/lib/api";

export type Authorization = Schemas["Authorization"];

/** Begin a sign-in at the other system: its address, to which the browser has to go. */
export async function beginSignIn(id: string): Promise<string> {
  const path = { connection_id: id };
  const { url } = await unwrap(api.POST("/v1/connections/{connection_id}/authorize", { params: { path }, body: {} }));
  if (!/^https?:\/\//i.test(url)) throw new Error("The sign-in address of this connection is none.");
  return url;
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
  wrong_issuer: "Another system answered than the one that was asked, so that its answer was not used. If it is the right one, name it as the issuer of the connection.",
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
