const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An id in an address; undefined where there is none. */
export function readId(value: unknown): string | undefined {
  return typeof value === "string" && UUID.test(value) ? value : undefined;
}

/** As much of an id as tells it from others on the same page: its end, since all begin with the time. */
export function shortenId(id: string): string {
  return id.slice(-8);
}
