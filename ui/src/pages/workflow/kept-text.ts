import { useEffect, useRef } from "react";
import { useSession } from "@/lib/session";
import { unsavedKey } from "@/lib/unsaved";
import { FORMATS, type Format } from "./texts";

/** The draft over which a text is written. */
export interface Base {
  revision: number;
  text: string;
}

/** What is written and not saved. */
export interface Kept {
  format: Format;
  text: string;
  base: Base;
}

/** Whose text it is, and of which workflow: nobody else who signs in here finds it. */
export interface Place {
  owner: string;
  workflowId: string;
}

/** Longer ones are not kept: a browser has room for 5 million letters, and some count them twice. */
const MOST_LETTERS = 2_000_000;
/** Somebody who writes is not held up for every letter. */
const PAUSE_MS = 400;

function keyOf({ owner, workflowId }: Place): string {
  return unsavedKey(`${owner}.${workflowId}`);
}

/** What was kept in this tab; undefined where nothing was. */
export function readKept(place: Place): Kept | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(keyOf(place)) ?? "null") as Kept | null;
    return kept !== null && FORMATS.includes(kept.format) && typeof kept.text === "string" ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Keep it in this tab, or keep nothing any more. */
export function writeKept(place: Place, kept: Kept | undefined): void {
  try {
    const text = kept === undefined ? undefined : JSON.stringify(kept);
    if (text === undefined || text.length > MOST_LETTERS) sessionStorage.removeItem(keyOf(place));
    else sessionStorage.setItem(keyOf(place), text);
  } catch {
    // Storage is switched off or full: what is written lives as long as the page.
  }
}

/**
 * Keep what is written, so that it is there again after the session has ended, or the page was loaded anew; gives the way to say that
 * it is left behind on purpose. Only once the page has gone is that certain: a sign-out may fail after it was asked about.
 */
export function useKeeping(place: Place, kept: Kept | undefined): () => void {
  const latest = useRef<Kept>(undefined);
  const isLeft = useRef(false);
  const { owner, workflowId } = place;
  useEffect(() => {
    const had = latest.current !== undefined;
    latest.current = kept;
    if (kept === undefined) {
      if (had) writeKept({ owner, workflowId }, undefined);
      return undefined;
    }
    const timer = setTimeout(() => writeKept({ owner, workflowId }, kept), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [owner, workflowId, kept]);
  useEffect(
    () => () => {
      if (latest.current !== undefined) writeKept({ owner, workflowId }, isGivenUp(isLeft.current) ? undefined : latest.current);
    },
    [owner, workflowId],
  );
  return () => {
    isLeft.current = true;
  };
}

/** Whether nothing is to be kept as the page goes. The end of a session takes it away without a question: that leaves nothing behind. */
function isGivenUp(isLeft: boolean): boolean {
  const { status, isSignedOut } = useSession.getState();
  return isSignedOut || (isLeft && status !== "anonymous");
}
