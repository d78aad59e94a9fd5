/** Longer than this nobody waits to be told that there is no answer. */
const PATIENCE_MS = 10_000;

/** Whether this app is served: where a proxy answers that what is behind it is away, it is not. */
export function isServed(): Promise<boolean> {
  return fetch("/", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Load the whole app anew, where that leaves anything but nothing; false where it would not. */
export async function loadAnew(): Promise<boolean> {
  const isThere = await isServed();
  if (isThere) location.reload();
  return isThere;
}
