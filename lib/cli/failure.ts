// How a command ends badly: one line for a person, and an exit code (1 failed, 2 wrong usage).

/** Thrown by commands; its message says what is wrong and how to mend it, on one line. */
export class Failure extends Error {
  override name = "Failure";
  readonly exitCode: 1 | 2;
  /** Starting the same again, without a person's hand, can do no good. */
  readonly final: boolean;

  constructor(message: string, exitCode: 1 | 2 = 1, { final = false } = {}) {
    super(message);
    this.exitCode = exitCode;
    this.final = final;
  }
}

/** A node that must not be started again as it is: for supervisors that can tell exit codes apart (exitCodeOf). */
export function finalFailure(message: string): Failure {
  return new Failure(message, 1, { final: true });
}

/** 1 is "failed" for everybody; CORACLE_FINAL_EXIT_CODE gives those that are not to be tried again a code of their own. */
export function exitCodeOf(
  { exitCode, final }: Failure,
  environment: Record<string, string | undefined>,
): number {
  const code = Number(environment["CORACLE_FINAL_EXIT_CODE"]);
  return final && Number.isInteger(code) && code > 0 && code < 256 ? code : exitCode;
}

/** Flags or arguments that cannot be meant. */
export function wrongUsage(message: string): Failure {
  return new Failure(message, 2);
}

/** What the system calls it ("ENOENT", "EACCES"); null where it is no error of the system's. */
export function errorCode(error: unknown): string | null {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : null;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : null;
}

/** Something that is documented and does not exist yet. */
export function notBuilt(what: string): Failure {
  return new Failure(`${what} is not built yet (not_implemented)`);
}
