// How a command ends badly: one line for a person, and an exit code (1 failed, 2 wrong usage).

/** Thrown by commands; its message says what is wrong and how to mend it, on one line. */
export class Failure extends Error {
  override name = "Failure";
  readonly exitCode: 1 | 2;

  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Flags or arguments that cannot be meant. */
export function wrongUsage(message: string): Failure {
  return new Failure(message, 2);
}

/** Something that is documented and does not exist yet. */
export function notBuilt(what: string): Failure {
  return new Failure(`${what} is not built yet (not_implemented)`);
}
