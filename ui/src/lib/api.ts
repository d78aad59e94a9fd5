import createClient from "openapi-fetch";
import type { components, paths } from "@/generated/api";
import { noteServerTime } from "./clock";
import { readExact } from "./exact-json";
import { ApiProblem } from "./problem";
import { BROWSER_HEADERS, currentToken, readProblem, renewToken, send } from "./session";
import { readHolder } from "./token";

export type Schemas = components["schemas"];

/** A request with the session's token; with a new one where the old one is refused. */
export async function authorizedFetch(request: Request): Promise<Response> {
  const token = await currentToken();
  const again = request.clone();
  const response = await send(withToken(request, token));
  if (response.status !== 401 || token === undefined) return response;
  // It is the password in the body that was refused: a second try with the same would count against its owner.
  if ((await readProblem(response) as { code?: string }).code === "invalid_credentials") return response;
  const renewed = await renewToken(token);
  // What somebody has asked for in one workspace is never asked for in another, nor by somebody else who has signed in since.
  if (renewed === undefined || readHolder(renewed) !== readHolder(token)) return response;
  return send(withToken(again, renewed));
}

function withToken(request: Request, token: string | undefined): Request {
  if (token !== undefined) request.headers.set("authorization", `Bearer ${token}`);
  return request;
}

const baseUrl = globalThis.location?.origin ?? "";

/** Unlike files that are downloaded, what these calls answer does not come out of the browser's cache: its time is the server's. */
async function timedFetch(request: Request): Promise<Response> {
  const response = await authorizedFetch(request);
  noteServerTime(response.headers.get("date"));
  return response;
}

/** The API as whoever is signed in. */
export const api = createClient<paths>({ baseUrl, fetch: timedFetch, headers: BROWSER_HEADERS });

/** The API as nobody: for set-up and sign-in. */
export const publicApi = createClient<paths>({ baseUrl, fetch: (request) => send(request), headers: BROWSER_HEADERS });

/** What a call answered; raises ApiProblem where it was refused. */
export async function unwrap<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  const document = typeof error === "object" && error !== null ? error : await readProblem(response);
  throw new ApiProblem(document, response);
}

/** What a call with `parseAs: "text"` answered, where it holds values of workflows: an integer of theirs beyond 53 bits is a BigInt. */
export async function unwrapExact<T>(call: Promise<{ data?: string; error?: unknown; response: Response }>): Promise<T> {
  return readExact(await unwrap(call)) as T;
}
