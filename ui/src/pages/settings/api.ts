import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";

export type SignIn = Schemas["SessionView"];
export type Identity = Schemas["IdentityView"];

export const SIGN_INS = ["sign-ins"] as const;
export const IDENTITIES = ["identities"] as const;

/** Where the one who is signed in is signed in, the newest first. */
export const signInsQuery = queryOptions({
  queryKey: SIGN_INS,
  queryFn: ({ signal }) => unwrap(api.GET("/v1/auth/sessions", { signal })),
});

/** End one of one's own sign-ins; within five seconds it is refused everywhere. */
export function endSignIn(id: string) {
  return unwrap(api.DELETE("/v1/auth/sessions/{session_id}", { params: { path: { session_id: id } } }));
}

/** End all of one's own sign-ins but this one. */
export function endOtherSignIns() {
  return unwrap(api.DELETE("/v1/auth/sessions"));
}

/** Raises ApiProblem `invalid_credentials` where the current one is wrong. All other sign-ins end with it. */
export function changePassword(current_password: string, new_password: string) {
  return unwrap(api.POST("/v1/auth/password", { body: { current_password, new_password } }));
}

/** Who one is at providers: each of them opens the account. */
export const identitiesQuery = queryOptions({
  queryKey: IDENTITIES,
  queryFn: ({ signal }) => unwrap(api.GET("/v1/auth/identities", { signal })),
});

/** Where the browser goes to link the provider. Raises ApiProblem `invalid_credentials` where the password is wrong. */
export async function linkProvider(password: string): Promise<string> {
  return (await unwrap(api.POST("/v1/auth/oidc/link", { body: { password, next: "/settings" } }))).url;
}

/** It opens the account no more. Raises ApiProblem 409 for the last one where there is no password. */
export function unlinkIdentity(id: string) {
  return unwrap(api.DELETE("/v1/auth/identities/{identity_id}", { params: { path: { identity_id: id } } }));
}

/** Give the workspace another name. */
export function renameWorkspace(id: string, name: string) {
  return unwrap(api.PATCH("/v1/workspaces/{workspace_id}", { params: { path: { workspace_id: id } }, body: { name } }));
}
