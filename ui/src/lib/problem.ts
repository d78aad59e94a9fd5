import type { components } from "@/generated/api";
import { formatDuration } from "./format";

type Problem = components["schemas"]["ProblemDocument"];

/** What the API answered when it could not do what was asked: RFC 9457, with a stable `code`. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly errors: readonly components["schemas"]["Problem"][];
  readonly requestId: string | undefined;
  /** Seconds to wait before trying again, where the API says so. */
  readonly retryAfter: number | undefined;

  constructor(document: Partial<Problem>, response: Response) {
    super(document.detail ?? `The server answered with status ${response.status}.`);
    this.name = "ApiProblem";
    this.status = response.status;
    this.code = document.code ?? "unknown";
    this.errors = document.errors ?? [];
    this.requestId = document.request_id ?? response.headers.get("x-request-id") ?? undefined;
    this.retryAfter = Number(response.headers.get("retry-after")) || undefined;
  }
}

/** Nobody answered: the server is away, or this machine has no network. */
export class Unreachable extends Error {
  constructor(cause: unknown) {
    super("FlowForge does not answer. Is it running, and is this machine connected?", { cause });
    this.name = "Unreachable";
  }
}

/** The tabs' common session leads to another workspace, or is somebody else's: what belongs to this page may not be done there. */
export class SessionMoved extends Error {
  constructor() {
    super("Another tab has gone to another workspace, or somebody else has signed in there. Load this page anew.");
    this.name = "SessionMoved";
  }
}

/** The sentence that a person reads about anything that was thrown. */
export function describeError(error: unknown): string {
  if (error instanceof ApiProblem) {
    const faults = error.errors.map((fault) => `${fault.pointer}: ${fault.message}`);
    return faults.length > 0 ? `${error.message} (${faults.join("; ")})` : error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The sentence where somebody has tried too often, with when to try again; undefined where it was refused for something else. */
export function tellTooMany(error: unknown): string | undefined {
  if (!(error instanceof ApiProblem) || error.status !== 429 || error.retryAfter === undefined) return undefined;
  return `Too many tries. Try again in ${formatDuration(error.retryAfter * 1000).replace(".0 s", " s")}.`;
}

/** Whether it was refused since somebody has changed meanwhile what was to be changed. */
export function isStale(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 412;
}

/** Whether asking again may help: not where the answer would be the same. */
export function isWorthRetrying(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiProblem && (error.status >= 500 || error.status === 429));
}
