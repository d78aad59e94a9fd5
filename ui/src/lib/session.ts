import { create } from "zustand";
import type { components } from "@/generated/api";
import { ApiProblem, SessionMoved, Unreachable } from "./problem";
import { readHolder } from "./token";
import { removeUnsaved } from "./unsaved";

type Tokens = components["schemas"]["Tokens"];

/** Asks the API to keep the refresh token in a cookie that no script can read. */
export const BROWSER_HEADERS = { "x-flowforge-session": "cookie" } as const;
const LOCK = "flowforge.refresh";
const CHANNEL = "flowforge.session";
/** Says that there may be a cookie: without it, the first page load asks in vain. */
const HINT = "flowforge.signed-in";
/** A token is renewed so long before it ends: clocks and requests take their time. */
const MARGIN_MS = 30_000;

interface Session {
  status: "unknown" | "anonymous" | "signed-in";
  /** The cookie is another workspace's or somebody else's by now: this page is to be left. */
  isMoved: boolean;
  /** Somebody has ended it on purpose, here or in another tab: it has not run out. */
  isSignedOut: boolean;
}

/** What tabs tell each other of the cookie that they share. */
type News = { kind: "ended"; isOnPurpose: boolean } | { kind: "moved"; to: string };

export const useSession = create<Session>(() => ({ status: "unknown", isMoved: false, isSignedOut: false }));

let access: { token: string; until: number } | undefined;
let renewal: Promise<string | undefined> | undefined;
/** How often a session has ended here: what was asked before the last time is of one that is no more. */
let ends = 0;
const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(CHANNEL);

/** Take what a sign-in, a set-up, an invitation or a switch of the workspace answered; the other tabs hear where it leads. */
export function acceptTokens(tokens: Tokens): void {
  take(tokens);
  tellWhereItLeads();
}

/** Forget the session that somebody has ended, and all that they have written under it and not saved; here, and in the other tabs. */
export function endSession(): void {
  forget(true);
  tell({ kind: "ended", isOnPurpose: true });
}

/** The session that an earlier page left in the cookie, if there is one. Asks once; raises Unreachable. */
export async function startSession(): Promise<Session["status"]> {
  if (useSession.getState().status === "unknown") {
    if (isRemembered()) await renewToken();
    else forget(false);
  }
  return useSession.getState().status;
}

/** Take up the session that a sign-in elsewhere has left in the cookie. Raises Unreachable and ApiProblem. */
export async function adoptSession(): Promise<Session["status"]> {
  await renewToken();
  tellWhereItLeads();
  return useSession.getState().status;
}

/** A token that is good for a while yet; undefined where nobody is signed in. */
export async function currentToken(): Promise<string | undefined> {
  if (access !== undefined && access.until > Date.now()) return access.token;
  return useSession.getState().status === "anonymous" ? undefined : renewToken();
}

/** Exchange the cookie for a new token, once for all that ask meanwhile. Raises Unreachable, ApiProblem and SessionMoved. */
export function renewToken(refused?: string): Promise<string | undefined> {
  // Another request has brought a new one since the refused one was sent.
  if (refused !== undefined && access !== undefined && access.token !== refused) return Promise.resolve(access.token);
  const { status, isMoved } = useSession.getState();
  if (isMoved) return Promise.reject(new SessionMoved());
  // The session in which the refused one was sent has ended since.
  if (refused !== undefined && status === "anonymous") return Promise.resolve(undefined);
  if (renewal !== undefined) return renewal;
  const begun = ends;
  const mine: Promise<string | undefined> = alone(() => exchange(() => ends !== begun)).finally(() => {
    if (renewal === mine) renewal = undefined;
  });
  renewal = mine;
  return mine;
}

async function exchange(hasEnded: () => boolean): Promise<string | undefined> {
  // While this waited for another tab.
  if (hasEnded()) return undefined;
  const response = await send("/v1/auth/refresh", {
    method: "POST",
    headers: { ...BROWSER_HEADERS, "content-type": "application/json" },
    body: "{}",
  });
  const tokens = response.ok ? ((await response.json()) as Tokens) : undefined;
  // What came late neither brings it back nor says why it ended, and is nothing to a session that has begun since.
  if (hasEnded()) return undefined;
  if (tokens !== undefined) {
    // What this page shows, and is about to do, is of another workspace or another person.
    if (access !== undefined && readHolder(access.token) !== readHolder(tokens.access_token)) {
      useSession.setState({ isMoved: true });
      throw new SessionMoved();
    }
    take(tokens);
    return tokens.access_token;
  }
  if (response.status !== 401) throw new ApiProblem(await readProblem(response), response);
  forget(false);
  tell({ kind: "ended", isOnPurpose: false });
  return undefined;
}

/** Let one tab at a time exchange the cookie: it changes with every exchange. */
async function alone(work: () => Promise<string | undefined>): Promise<string | undefined> {
  // Browsers have locks where the page came over https or from this machine; elsewhere the API's leeway has to do.
  return "locks" in navigator ? await navigator.locks.request(LOCK, work) : work();
}

/** Like fetch; raises Unreachable where nobody answers. */
export async function send(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable(error);
  }
}

/** The problem document of an answer, empty where it is none. */
export async function readProblem(response: Response): Promise<Record<string, never>> {
  return response
    .clone()
    .json()
    .catch(() => ({})) as Promise<Record<string, never>>;
}

function take(tokens: Tokens): void {
  access = { token: tokens.access_token, until: Date.now() + tokens.expires_in * 1000 - MARGIN_MS };
  remember(true);
  useSession.setState({ status: "signed-in", isMoved: false, isSignedOut: false });
}

function forget(isOnPurpose: boolean): void {
  ends += 1;
  access = undefined;
  // What is on its way brings nothing to the session that comes next.
  renewal = undefined;
  remember(false);
  // What another tab hears late, that its token was refused, takes back nothing of a sign-out: until somebody signs in.
  const isSignedOut = isOnPurpose || useSession.getState().isSignedOut;
  if (isSignedOut) removeUnsaved();
  useSession.setState({ status: "anonymous", isMoved: false, isSignedOut });
}

function tell(news: News): void {
  channel?.postMessage(news);
}

function tellWhereItLeads(): void {
  const to = access === undefined ? undefined : readHolder(access.token);
  if (to !== undefined) tell({ kind: "moved", to });
}

function hear({ data }: MessageEvent<News>): void {
  if (data.kind === "ended") forget(data.isOnPurpose);
  // Somebody has signed in elsewhere: this tab asks once more whether it is signed in.
  else if (useSession.getState().status === "anonymous") useSession.setState({ status: "unknown" });
  // The token that is here stays good for where it is: whoever is asked about something unsaved can still save it.
  else useSession.setState({ isMoved: access !== undefined && readHolder(access.token) !== data.to });
}

function remember(signedIn: boolean): void {
  try {
    if (signedIn) localStorage.setItem(HINT, "yes");
    else localStorage.removeItem(HINT);
  } catch {
    // Storage is switched off: the next page load asks for a sign-in.
  }
}

function isRemembered(): boolean {
  try {
    return localStorage.getItem(HINT) !== null;
  } catch {
    return false;
  }
}

channel?.addEventListener("message", hear);
