import type { RouterHistory } from "@tanstack/react-router";

/**
 * Ask about what is unsaved on the page, before something is done that cannot be taken back by staying; false where they stay.
 *
 * A navigation that is refused never ends: whoever waited for one would go on with the next.
 */
export async function mayLeave(history: RouterHistory): Promise<boolean> {
  const { location } = history;
  for (const { blockerFn } of history._getBlockers()) {
    if (await blockerFn({ currentLocation: location, nextLocation: location, action: "PUSH" })) return false;
  }
  return true;
}
