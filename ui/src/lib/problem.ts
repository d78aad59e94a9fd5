import type { components } from "@/generated/api";

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

/** Whether asking again may help: not where the answer would be the same. */
export function isWorthRetrying(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiProblem && (error.status >= 500 || error.status === 429));
}
