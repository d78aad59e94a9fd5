/** Whether whoever serves this app answers at all, whatever the answer is. */
export function isServed(): Promise<boolean> {
  return fetch("/", { method: "HEAD", cache: "no-store" }).then(
    () => true,
    () => false,
  );
}

/** Load the whole app anew, as soon as that can leave anything but nothing. */
export async function loadAnew(): Promise<void> {
  if (await isServed()) location.reload();
}
