import { formatDuration } from "@/lib/format";

/** What a step is set up to do, as far as a definition that may be of any shape says it. */
export interface SetUp {
  type: string;
  with?: unknown;
}

/** A definition may hold megabytes in one string; below the name of a step there is room for few characters and keys. */
const LONGEST = 200;
const MOST = 20;

type With = Readonly<Record<string, unknown>>;

/** What tells a step of its type from others, in a few words; undefined where it says too little. Types of others have none. */
const WORDS: Readonly<Record<string, (config: With) => string | undefined>> = {
  http: ({ method, url }) => (typeof url === "string" ? `${textOf(method) ?? "GET"} ${url.slice(0, LONGEST).replace(/^https?:\/\//i, "")}` : undefined),
  delay: ({ seconds, until }) => (typeof seconds === "number" ? formatDuration(seconds * 1000) : textOf(until ?? seconds)),
  if: ({ condition }) => textOf(condition),
  switch: ({ cases }) => keysOf(cases),
  transform: ({ values }) => keysOf(values),
  foreach: ({ items }) => textOf(items),
  wait: ({ signal }) => textOf(signal),
  approval: ({ message }) => textOf(message),
  respond: ({ status }) => textOf(status),
  fail: ({ message }) => textOf(message),
};

/** "http: GET shop.example/orders", as it stands below the name of a step; the type alone where there is no more to say. */
export function summaryOf({ type, with: config }: SetUp): string {
  const isObject = typeof config === "object" && config !== null && !Array.isArray(config);
  const said = Object.hasOwn(WORDS, type) && isObject ? WORDS[type]?.(config as With) : undefined;
  return said === undefined || said === "" ? type : `${type}: ${said}`;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value.trimStart().slice(0, LONGEST).replace(/\s+/g, " ").trim();
  return typeof value === "number" ? String(value) : undefined;
}

function keysOf(value: unknown): string | undefined {
  return typeof value === "object" && value !== null ? Object.keys(value).slice(0, MOST).join(", ").slice(0, LONGEST) : undefined;
}
