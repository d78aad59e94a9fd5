import { useState } from "react";
import { ApiProblem, Unreachable } from "./problem";

/** Lets the API do once what is asked for again, since nobody knows what came of it the first time. */
export interface Once {
  /** The header for a request that says this: the same one until it is known what came of it. */
  headerFor: (said: string) => { "Idempotency-Key": string };
  /** An answer has come, or none: only without one, the same again means the same. */
  settle: (error: unknown) => void;
}

export function createOnce(): Once {
  let open: { said: string; key: string } | undefined;
  return {
    headerFor: (said) => {
      if (open?.said !== said) open = { said, key: makeKey() };
      return { "Idempotency-Key": open.key };
    },
    settle: (error) => {
      const isUnknown = error instanceof Unreachable || (error instanceof ApiProblem && error.status >= 500);
      if (!isUnknown) open = undefined;
    },
  };
}

/** One for as long as the component is there. */
export function useOnce(): Once {
  return useState(createOnce)[0];
}

/** Not `randomUUID`: over plain http, browsers have none. */
function makeKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
