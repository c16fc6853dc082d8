// The ways in which a request ends badly. For a write all but OutcomeUnknown mean: definitely not done.

/** The cluster answered with a problem (RFC 9457). `code` is the word that programs go by; "" where there was none. */
export class ProblemError extends Error {
  override name = "ProblemError";
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;

  constructor(problem: { status: number; code: string; title: string; detail: string }) {
    super(problem.detail || problem.title || `HTTP ${problem.status}`);
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.detail = problem.detail;
  }
}

/** A write that may or may not be done, now or later. It was not sent again. */
export class OutcomeUnknown extends Error {
  override name = "OutcomeUnknown";
}

/** No node could be asked: every connection was refused, or (reads only) broke or took too long. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

/** Something answered, but not as Coracle does: probably the URL of another server. Reads only; a write is OutcomeUnknown. */
export class UnexpectedAnswer extends Error {
  override name = "UnexpectedAnswer";
}
