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

/** A token, a content type or another header that no request can carry, a line break in it for example. Nothing was sent. */
export class InvalidHeader extends TypeError {
  override name = "InvalidHeader";
  readonly header: string;

  /** The value stays unsaid: it may be a token. */
  constructor(header: string, cause: unknown) {
    super(`${header === "authorization" ? "the token" : header} must be one line of plain text`, { cause });
    this.header = header;
  }
}

/** Something answered, but not as Coracle does: probably the URL of another server. Reads only; a write is OutcomeUnknown. */
export class UnexpectedAnswer extends Error {
  override name = "UnexpectedAnswer";
}
