// The few functions of `@std/assert` that our tests use, under their documented names, over node:assert.
// JSR is not reachable everywhere this project is built; on a connected machine deno.json can name
// `jsr:@std/assert@1` instead of this file.
import nodeAssert from "node:assert/strict";

export class AssertionError extends Error {
  override name = "AssertionError";
}

/** What node:assert says, under `msg` where there is one: given a message, it would leave out what differed. */
function under(msg: string | undefined, check: () => void): void {
  try {
    check();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new AssertionError(msg ? `${msg}: ${said}` : said);
  }
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Deep equality, prototypes and types included. */
export function assertEquals<T>(actual: T, expected: T, msg = ""): void {
  under(msg, () => nodeAssert.deepStrictEqual(actual, expected));
}

/** The opposite of {@link assertEquals}. */
export function assertNotEquals<T>(actual: T, expected: T, msg = ""): void {
  under(msg, () => nodeAssert.notDeepStrictEqual(actual, expected));
}

/** `Object.is` equality. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  under(msg, () => nodeAssert.strictEqual(actual, expected));
}

/** Neither null nor undefined. */
export function assertExists<T>(
  actual: T,
  msg = `expected a value, got ${actual}`,
): asserts actual is NonNullable<T> {
  if (actual === null || actual === undefined) throw new AssertionError(msg);
}

/** `actual` contains `expected` as a substring. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) {
    throw new AssertionError(
      msg ?? `expected ${JSON.stringify(actual)} to contain ${JSON.stringify(expected)}`,
    );
  }
}

/** `actual` matches the pattern. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  under(msg, () => nodeAssert.match(actual, expected));
}

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

function verify<E extends Error>(
  error: unknown,
  type: ErrorClass<E> | undefined,
  includes: string | undefined,
): E {
  if (type !== undefined && !(error instanceof type)) {
    throw new AssertionError(`expected ${type.name} to be thrown, got ${String(error)}`);
  }
  if (includes !== undefined) {
    assertStringIncludes(error instanceof Error ? error.message : String(error), includes);
  }
  return error as E;
}

/** `fn` throws (an instance of `type`, with `includes` in its message). Returns what was thrown. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  type?: ErrorClass<E>,
  includes?: string,
): E {
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    return verify(thrown, type, includes);
  }
  throw new AssertionError("expected the function to throw");
}

/** `fn` rejects (with an instance of `type`, with `includes` in its message). Resolves to the reason. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  type?: ErrorClass<E>,
  includes?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return verify(error, type, includes);
  }
  throw new AssertionError("expected the promise to reject");
}

/** Always throws. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${msg === undefined ? "." : `: ${msg}`}`);
}
