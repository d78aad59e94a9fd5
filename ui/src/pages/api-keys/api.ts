import { infiniteQueryOptions } from "@tanstack/react-query";
import { type Schemas, api, unwrap } from "@/lib/api";
import type { OnceHeader } from "@/lib/once";

export type ApiKey = Schemas["ApiKeyView"];
export type MadeKey = Schemas["MadeApiKey"];

export const API_KEYS = ["api-keys"] as const;
const PAGE = 50;

/** The keys that are not revoked, the newest first. */
export const apiKeysQuery = infiniteQueryOptions({
  queryKey: API_KEYS,
  queryFn: ({ pageParam, signal }) =>
    unwrap(api.GET("/v1/api-keys", { params: { query: { limit: PAGE, cursor: pageParam } }, signal })),
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next_cursor,
});

/** A new key with its secret, which no other call gives. `expires_at` null: it lives until it is revoked. */
export function makeKey(body: Schemas["NewApiKey"], header: OnceHeader): Promise<MadeKey> {
  return unwrap(api.POST("/v1/api-keys", { params: { header }, body }));
}

/** It is refused everywhere within five seconds. */
export function revokeKey(id: string) {
  return unwrap(api.DELETE("/v1/api-keys/{key_id}", { params: { path: { key_id: id } } }));
}
