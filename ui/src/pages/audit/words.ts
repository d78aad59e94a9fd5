import { writeExact } from "@/lib/exact-json";
import type { AuditEntry } from "./api";

/** Of which the words of the action make no sentence. */
const IRREGULAR: Record<string, string> = {
  "session.began": "Signed in",
  "session.refused": "Sign-in refused",
  "session.ended": "Signed out",
  "session.others_ended": "Signed out everywhere else",
  "session.token_reused": "A session's token came twice",
  "run.many_steered": "Many runs steered",
  "access.denied": "Call refused",
};

/** "api_key.created" as people read it: "API key created". */
export function sayAction(action: string): string {
  const irregular = IRREGULAR[action];
  if (irregular !== undefined) return irregular;
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
  return side === null || side === undefined ? undefined : writeExact(side, 2);
}
