const PREFIX = "flowforge.unsaved.";

/** Under which name a text is kept in this tab that is written and not saved. */
export function unsavedKey(what: string): string {
  return PREFIX + what;
}

/** Keep no such text in this tab any more. */
export function removeUnsaved(): void {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
  } catch {
    // Storage is switched off: nothing was kept.
  }
}
