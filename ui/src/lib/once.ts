import { useState } from "react";
import { ApiProblem } from "./problem";

/** What a request carries that may come again. */
export type OnceHeader = Readonly<{ "Idempotency-Key": string }>;

/** Lets the API do once what is asked for again, since nobody knows what came of it the first time. */
export interface Once {
  /**
   * Ask for what `said` tells in full: with the same header as the last time, where it is the same and nobody knows what came of it.
   * The API refuses another body with a header that it knows.
   */
  ask: <Answer>(said: string, ask: (header: OnceHeader) => Promise<Answer>) => Promise<Answer>;
}

export function createOnce(): Once {
  let open: { said: string; header: OnceHeader } | undefined;
  return {
    ask: async (said, ask) => {
      if (open?.said !== said) open = { said, header: { "Idempotency-Key": makeKey() } };
      const { header } = open;
      try {
        const answer = await ask(header);
        open = undefined;
        return answer;
      } catch (error) {
        if (!isUnknown(error)) open = undefined;
        throw error;
      }
    },
  };
}

/** One for as long as the component is there. */
export function useOnce(): Once {
  return useState(createOnce)[0];
}

/** Whether it may have been done all the same, or may still be: also where an answer came and broke off before its end. */
function isUnknown(error: unknown): boolean {
  return !(error instanceof ApiProblem) || error.status >= 500 || error.code === "idempotency_in_progress";
}

/** Not `randomUUID`: over plain http, browsers have none. */
function makeKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
