import type { AuditEntry } from "./api";

/** "api_key.created" as people read it: "API key created". */
export function sayAction(action: string): string {
  const text = action.replace(".", " ").replaceAll("_", " ").replace(/^api /, "API ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whoever did it, by the names of that moment. */
export function sayActor({ actor }: AuditEntry): string {
  const person = actor.email ?? (actor.user_id === null ? "somebody unknown" : "a user who is no more");
  return actor.api_key_name === null ? person : `${person} by the key ${actor.api_key_name}`;
}

/** What it was done to, by its name where it has one. */
export function sayTarget({ target }: AuditEntry): string {
  return target === null ? "" : (target.name ?? target.id);
}

/** What was there before or is there now, as text; undefined where the entry says nothing of it. */
export function saySide(side: unknown): string | undefined {
  return side === null || side === undefined ? undefined : JSON.stringify(side, null, 2);
}
