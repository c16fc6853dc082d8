// The few functions of `@std/assert` that our tests use, under their documented names, over node:assert.
// JSR is not reachable everywhere this project is built; on a connected machine deno.json can name
// `jsr:@std/assert@1` instead of this file.
import nodeAssert from "node:assert/strict";

export class AssertionError extends Error {
  override name = "AssertionError";
}

/** node:assert takes an Error as the thing to throw, and its own message where there is none. */
function reason(msg: string | undefined): Error | undefined {
  return msg ? new AssertionError(msg) : undefined;
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Deep equality, prototypes and types included. */
export function assertEquals<T>(actual: T, expected: T, msg = ""): void {
  nodeAssert.deepStrictEqual(actual, expected, reason(msg));
}

/** The opposite of {@link assertEquals}. */
export function assertNotEquals<T>(actual: T, expected: T, msg = ""): void {
  nodeAssert.notDeepStrictEqual(actual, expected, reason(msg));
}

/** `Object.is` equality. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, reason(msg));
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
  nodeAssert.match(actual, expected, reason(msg));
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
