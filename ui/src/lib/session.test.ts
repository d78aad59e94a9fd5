import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SessionMoved } from "./problem";
import { acceptTokens, currentToken, endSession, renewToken, useSession } from "./session";
import { readHolder } from "./token";
import { unsavedKey } from "./unsaved";

const PATIENCE = { timeout: 30_000 };

/** What a sign-in is answered with; its token is over already where it lives no longer. */
function tokens(user: string, workspace: string, { lives = 900, mark = "" } = {}) {
  const payload = btoa(JSON.stringify({ sub: user, wid: workspace, mark })).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return { access_token: `head.${payload}.signature`, expires_in: lives, refresh_token: "", token_type: "Bearer" as const };
}

function answerWith(body: unknown) {
  const fetch = vi.fn(() => Promise.resolve(new Response(JSON.stringify(body), { status: 200 })));
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

/** Another tab of the same browser. */
let other: BroadcastChannel;
beforeEach(() => {
  // The tests' browser has none.
  vi.spyOn(navigator, "locks", "get").mockReturnValue({ request: (_: string, work: () => Promise<unknown>) => work() } as never);
  other = new BroadcastChannel("flowforge.session");
});
afterEach(() => {
  other.close();
  endSession();
  sessionStorage.clear();
  vi.unstubAllGlobals();
});

describe("a session that all tabs share", () => {
  it("goes on with a new token of the same workspace", async () => {
    acceptTokens(tokens("u", "a", { lives: 0 }));
    const next = tokens("u", "a", { mark: "ü?>" });
    answerWith(next);
    expect(await currentToken()).toBe(next.access_token);
    expect(useSession.getState()).toEqual({ status: "signed-in", isMoved: false, isSignedOut: false });
  });

  it.each([
    ["another workspace", "u", "b"],
    ["another person", "v", "a"],
  ])("does not go on with a token of %s", async (_, user, workspace) => {
    const old = tokens("u", "a", { lives: 0 });
    acceptTokens(old);
    const fetch = answerWith(tokens(user, workspace));
    await expect(currentToken()).rejects.toThrow(SessionMoved);
    expect(useSession.getState().isMoved).toBe(true);
    // The page that is to be left asks no more, whatever it was refused for.
    await expect(currentToken()).rejects.toThrow(SessionMoved);
    await expect(renewToken(old.access_token)).rejects.toThrow(SessionMoved);
    expect(fetch).toHaveBeenCalledOnce();
  });

  it("is heard to be elsewhere, and back; its own token is good meanwhile", async () => {
    const mine = tokens("u", "a");
    acceptTokens(mine);
    other.postMessage({ kind: "moved", to: "u b" });
    await vi.waitFor(() => expect(useSession.getState().isMoved).toBe(true), PATIENCE);
    expect(await currentToken()).toBe(mine.access_token);
    other.postMessage({ kind: "moved", to: "u a" });
    await vi.waitFor(() => expect(useSession.getState().isMoved).toBe(false), PATIENCE);
  });

  it("tells the other tabs where it goes, and that it ends", async () => {
    const heard: unknown[] = [];
    other.addEventListener("message", ({ data }) => heard.push(data));
    acceptTokens(tokens("u", "b"));
    endSession();
    await vi.waitFor(() => expect(heard).toEqual([{ kind: "moved", to: "u b" }, { kind: "ended", isOnPurpose: true }]), PATIENCE);
  });

  it("begins with the one of another tab, where there was none", async () => {
    endSession();
    other.postMessage({ kind: "moved", to: "u a" });
    await vi.waitFor(() => expect(useSession.getState().status).toBe("unknown"), PATIENCE);
    const theirs = tokens("u", "a");
    answerWith(theirs);
    expect(await currentToken()).toBe(theirs.access_token);
    expect(useSession.getState()).toEqual({ status: "signed-in", isMoved: false, isSignedOut: false });
  });

  it.each([
    ["and leaves nothing that is unsaved, where somebody has ended it", true, null],
    ["and keeps what is unsaved, where it has run out", false, "dear"],
  ])("ends with the one of another tab, %s", async (_, isOnPurpose, left) => {
    acceptTokens(tokens("u", "a"));
    sessionStorage.setItem(unsavedKey("u a.w"), "dear");
    sessionStorage.setItem("flowforge.reloaded", "/");
    other.postMessage({ kind: "ended", isOnPurpose });
    await vi.waitFor(() => expect(useSession.getState()).toEqual({ status: "anonymous", isMoved: false, isSignedOut: isOnPurpose }), PATIENCE);
    expect(await currentToken()).toBeUndefined();
    expect([sessionStorage.getItem(unsavedKey("u a.w")), sessionStorage.getItem("flowforge.reloaded")]).toEqual([left, "/"]);
  });

  it.each([
    ["a sign-out", () => Promise.resolve(endSession()), true],
    ["its own end", () => currentToken(), false],
  ])("tells the other tabs of %s, and whether anybody meant it", async (_, end, isOnPurpose) => {
    acceptTokens(tokens("u", "a", { lives: 0 }));
    sessionStorage.setItem(unsavedKey("u a.w"), "dear");
    const heard: unknown[] = [];
    other.addEventListener("message", ({ data }) => heard.push(data));
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({}, { status: 401 })));
    await end();
    await vi.waitFor(() => expect(heard).toContainEqual({ kind: "ended", isOnPurpose }), PATIENCE);
    expect(sessionStorage.getItem(unsavedKey("u a.w"))).toBe(isOnPurpose ? null : "dear");
  });
});

describe("a session that somebody has ended on purpose, while something of it was on its way", () => {
  const key = unsavedKey("u a.w");
  const ENDED = { status: "anonymous", isMoved: false, isSignedOut: true };
  let answer: (response: Response) => void;

  /** A tab whose token is over already has asked for another one, which has not come; then it hears of the sign-out. */
  async function endWhileItAsks(): Promise<{ asked: Promise<string | undefined> }> {
    acceptTokens(tokens("u", "a", { lives: 0 }));
    const fetch = vi.fn(() => new Promise<Response>((resolve) => (answer = resolve)));
    vi.stubGlobal("fetch", fetch);
    const asked = currentToken();
    await vi.waitFor(() => expect(fetch).toHaveBeenCalledOnce(), PATIENCE);
    other.postMessage({ kind: "ended", isOnPurpose: true });
    await vi.waitFor(() => expect(useSession.getState()).toEqual(ENDED), PATIENCE);
    return { asked };
  }

  it.each([
    ["a refusal", () => Response.json({}, { status: 401 })],
    ["a new token", () => Response.json(tokens("u", "a", { mark: "late" }))],
  ])("stays so, whatever comes late: %s", async (_, late) => {
    const { asked } = await endWhileItAsks();
    answer(late());
    expect(await asked).toBeUndefined();
    expect(useSession.getState()).toEqual(ENDED);
    expect(await currentToken()).toBeUndefined();
  });

  it("stays so where a third tab was refused before it heard of it", async () => {
    acceptTokens(tokens("u", "a"));
    other.postMessage({ kind: "ended", isOnPurpose: true });
    await vi.waitFor(() => expect(useSession.getState()).toEqual(ENDED), PATIENCE);
    sessionStorage.setItem(key, "dear");
    other.postMessage({ kind: "ended", isOnPurpose: false });
    await vi.waitFor(() => expect(sessionStorage.getItem(key)).toBeNull(), PATIENCE);
    expect(useSession.getState()).toEqual(ENDED);
    acceptTokens(tokens("u", "a"));
    expect(useSession.getState().isSignedOut).toBe(false);
  });

  it("is not asked for again by what was refused under it", async () => {
    const old = tokens("u", "a");
    acceptTokens(old);
    endSession();
    const fetch = answerWith(tokens("v", "a"));
    expect(await renewToken(old.access_token)).toBeUndefined();
    expect(fetch).not.toHaveBeenCalled();
  });

  it("does not end the one that has begun since", async () => {
    const { asked } = await endWhileItAsks();
    const mine = tokens("v", "b");
    acceptTokens(mine);
    answer(Response.json({}, { status: 401 }));
    expect(await asked).toBeUndefined();
    expect(await currentToken()).toBe(mine.access_token);
    expect(localStorage.getItem("flowforge.signed-in")).toBe("yes");
  });

  it("keeps no answer from the one that has begun since, though its own has not come", async () => {
    const { asked } = await endWhileItAsks();
    const answerLate = answer;
    acceptTokens(tokens("v", "b", { lives: 0 }));
    const next = tokens("v", "b", { mark: "next" });
    const fetch = answerWith(next);
    expect(await currentToken()).toBe(next.access_token);
    answerLate(Response.json({}, { status: 401 }));
    expect(await asked).toBeUndefined();
    expect(await currentToken()).toBe(next.access_token);
    expect(fetch).toHaveBeenCalledOnce();
  });
});

it.each(["", "none", "a.b.c", `a.${btoa("{}")}.c`, `a.${btoa("null")}.c`])("the token %j is nobody's", (token) => {
  expect(readHolder(token)).toBeUndefined();
});
