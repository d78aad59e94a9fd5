import { afterEach, expect, it, vi } from "vitest";
import { authorizedFetch } from "./api";
import { acceptTokens, endSession } from "./session";

const ADDRESS = "http://127.0.0.1/v1/workflows/w/runs";

/** What a sign-in is answered with. */
function tokens(user: string, workspace: string, mark = "") {
  const payload = btoa(JSON.stringify({ sub: user, wid: workspace, mark }));
  return { access_token: `head.${payload}.signature`, expires_in: 900, refresh_token: "", token_type: "Bearer" as const };
}

afterEach(() => {
  endSession();
  vi.unstubAllGlobals();
});

/** Ask for something whose token is refused, while `meanwhile` happens; what was asked for then, and by which token, and the last answer. */
async function askWhile(meanwhile: () => void) {
  const sent: (string | null)[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(request.headers.get("authorization"));
    if (sent.length > 1) return Response.json({}, { status: 202 });
    meanwhile();
    return Response.json({}, { status: 401 });
  });
  const { status } = await authorizedFetch(new Request(ADDRESS, { method: "POST", body: "{}" }));
  return { sent, status };
}

it("what was refused is asked for again with the newer token of the same person and workspace", async () => {
  const [old, newer] = [tokens("u", "a"), tokens("u", "a", "newer")];
  acceptTokens(old);
  const { sent, status } = await askWhile(() => acceptTokens(newer));
  expect(sent).toEqual([`Bearer ${old.access_token}`, `Bearer ${newer.access_token}`]);
  expect(status).toBe(202);
});

it.each([
  ["in another workspace", "u", "b"],
  ["by somebody else", "v", "a"],
])("what was refused is not asked for %s", async (_, user, workspace) => {
  acceptTokens(tokens("u", "a"));
  const { sent, status } = await askWhile(() => acceptTokens(tokens(user, workspace)));
  expect(sent).toHaveLength(1);
  expect(status).toBe(401);
});

it("what was refused is not asked for once somebody has signed out", async () => {
  acceptTokens(tokens("u", "a"));
  const { sent, status } = await askWhile(endSession);
  expect(sent).toHaveLength(1);
  expect(status).toBe(401);
});
