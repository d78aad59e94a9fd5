/**
 * The page that a sign-in leads to: a path of this app. An address of elsewhere would make the sign-in a way to it.
 *
 * The router hands on whatever stands in the address beside what a route has validated, so that each use asks here.
 */
export function readNext(value: unknown): string | undefined {
  return typeof value === "string" && /^\/(?![/\\])/.test(value) ? value : undefined;
}

/** What an address of the sign-in says. A provider's sign-in ends with `signed_in`, or with the code of an `error`. */
export interface SignInSearch {
  next?: string;
  error?: string;
  signed_in?: "oidc";
}

/** What an address of the sign-in says; whatever is none of it is left out. */
export function readSignIn(search: Record<string, unknown>): SignInSearch {
  const next = readNext(search["next"]);
  const { error } = search;
  return {
    ...(next === undefined ? {} : { next }),
    ...(typeof error === "string" && /^[a-z_]{1,64}$/.test(error) ? { error } : {}),
    ...(search["signed_in"] === "oidc" ? { signed_in: "oidc" } : {}),
  };
}
