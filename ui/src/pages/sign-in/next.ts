/**
 * The page that a sign-in leads to: a path of this app. An address of elsewhere would make the sign-in a way to it.
 *
 * The router hands on whatever stands in the address beside what a route has validated, so that each use asks here.
 */
export function readNext(value: unknown): string | undefined {
  return typeof value === "string" && /^\/(?![/\\])/.test(value) ? value : undefined;
}
