/** Whose an access token is: the person and the workspace, as one text. Undefined where it says neither. */
export function readHolder(token: string): string | undefined {
  try {
    const payload = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { sub, wid } = JSON.parse(atob(payload)) as Record<string, unknown>;
    return typeof sub === "string" && typeof wid === "string" ? `${sub} ${wid}` : undefined;
  } catch {
    return undefined;
  }
}
