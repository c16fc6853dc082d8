// Errors for people and programs: RFC 9457 problem details, one place for the table of api.md.

/** Code → status and title. What each means for a writer stands in api.md. */
const KINDS = {
  invalid_request: { status: 400, title: "The request is not valid" },
  unauthorized: { status: 401, title: "A token is needed" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: { status: 405, title: "This method is not offered here" },
  conflict: { status: 409, title: "In conflict with something that is running" },
  precondition_failed: { status: 412, title: "The precondition does not hold" },
  too_large: { status: 413, title: "Too large" },
  internal: { status: 500, title: "An error of this node" },
  not_implemented: { status: 501, title: "Not built yet" },
  overloaded: { status: 503, title: "Overloaded; nothing was done" },
  unavailable: { status: 503, title: "Not available now; nothing was done" },
  outcome_unknown: { status: 504, title: "It may or may not be done" },
} as const;

export type ProblemCode = keyof typeof KINDS;

export type Problem = {
  readonly code: ProblemCode;
  /** A sentence for whoever sent this request. */
  readonly detail: string;
  /** For 405: the methods that are offered. */
  readonly allow?: string;
};

/** What a check of a request gives: a value, or the problem to answer. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problem: Problem };

export function problem(code: ProblemCode, detail: string): Problem {
  return { code, detail };
}

export function good<T>(value: T): Checked<T> {
  return { ok: true, value };
}

export function bad(code: ProblemCode, detail: string): { readonly ok: false; readonly problem: Problem } {
  return { ok: false, problem: problem(code, detail) };
}

/** 503s say when to come again: leaders change and queues drain within about a second. */
const RETRY_AFTER_SECONDS = "1";

export function problemResponse(
  { code, detail, allow }: Problem,
  extra?: Readonly<Record<string, string>>,
): Response {
  const { status, title } = KINDS[code];
  const headers: Record<string, string> = { ...extra, "Content-Type": "application/problem+json" };
  if (status === 503) headers["Retry-After"] = RETRY_AFTER_SECONDS;
  if (status === 401) headers["WWW-Authenticate"] = "Bearer";
  if (allow !== undefined) headers["Allow"] = allow;
  const body = { type: `urn:coracle:problem:${code}`, title, status, detail, code };
  return new Response(JSON.stringify(body), { status, headers });
}
