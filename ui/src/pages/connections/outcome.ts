/** What a sign-in at another system came back with; it lives in the address of the page. */
export interface Outcome {
  connection?: string;
  authorization?: "granted" | "failed";
  code?: string;
}

/** The outcome of an address; whatever is none is left out. */
export function readOutcome(search: Record<string, unknown>): Outcome {
  const { connection, authorization, code } = search;
  if (authorization !== "granted" && authorization !== "failed") return {};
  return {
    authorization,
    ...(typeof connection === "string" && /^[0-9a-f-]{36}$/i.test(connection) ? { connection } : {}),
    ...(typeof code === "string" && /^[a-z_]{1,64}$/.test(code) ? { code } : {}),
  };
}
