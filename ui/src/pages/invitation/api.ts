import { type Schemas, publicApi, unwrap } from "@/lib/api";
import { ApiProblem } from "@/lib/problem";

export type Offer = Schemas["InvitationOffer"];

/** The token of an invitation's link: behind the `#`, which browsers send to nobody. Undefined where there is none. */
export function readToken(hash: string): string | undefined {
  const token = hash.replace(/^#/, "");
  return /^[A-Za-z0-9_-]{1,200}$/.test(token) ? token : undefined;
}

/** What the invitation offers. Raises ApiProblem 410 where it cannot be accepted any more. */
export function readOffer(token: string): Promise<Offer> {
  return unwrap(publicApi.POST("/v1/invitations/read", { body: { token } }));
}

/** Join the workspace, and be signed in to it. */
export function accept(token: string, password: string, name: string | null): Promise<Schemas["Tokens"]> {
  return unwrap(publicApi.POST("/v1/invitations/accept", { body: { token, password, name } }));
}

/** Begin to join through a provider: its address, to which the browser has to go. */
export async function joinElsewhere(token: string): Promise<string> {
  const { url } = await unwrap(publicApi.POST("/v1/auth/oidc/invitation", { body: { token, next: "/" } }));
  if (!/^https?:\/\//i.test(url)) throw new Error("The address of the provider is none.");
  return url;
}

/** Whether the invitation cannot be accepted any more, by anybody. */
export function isGone(error: unknown): error is ApiProblem {
  return error instanceof ApiProblem && error.code === "invitation_gone";
}
