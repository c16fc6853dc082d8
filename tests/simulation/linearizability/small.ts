// Every way in which a few operations can overlap, and random histories for comparing the checker with the oracle.
import type { Operation, Outcome } from "../../../lib/simulation/linearizability/history.ts";

export type Kind<Input, Output> = { readonly input: Input; readonly output?: Output };

/** Every way in which `count` intervals can overlap (calls numbered in order), as [call, return] pairs. */
export function overlaps(count: number): [number, number][][] {
  const all: [number, number][][] = [];
  const grow = (
    open: readonly number[],
    calls: readonly number[],
    returns: readonly number[],
    time: number,
  ) => {
    if (calls.length === count && open.length === 0) {
      all.push(calls.map((call, index) => [call, returns[index] ?? NaN]));
      return;
    }
    if (calls.length < count) grow([...open, calls.length], [...calls, time], returns, time + 1);
    for (const index of open) {
      const returned = [...returns];
      returned[index] = time;
      grow(open.filter((other) => other !== index), calls, returned, time + 1);
    }
  };
  grow([], [], [], 0);
  return all;
}

/** One operation of each kind, in these intervals; a kind without output is one whose outcome is unknown. */
export function operationsOf<Input, Output>(
  kinds: readonly Kind<Input, Output>[],
  intervals: readonly [number, number][],
): Operation<Input, Output>[] {
  return kinds.map(({ input, output }, index) => {
    const [call, end] = intervals[index] ?? [NaN, NaN];
    const outcome: Outcome<Output> = output === undefined
      ? { type: "unknown" }
      : { type: "ok", output, return: end };
    return { id: `#${index + 1}`, client: `c${index + 1}`, key: "x", input, call, outcome };
  });
}

/** All sequences of `length` out of `kinds`. */
export function* sequences<T>(kinds: readonly T[], length: number): Generator<T[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const rest of sequences(kinds, length - 1)) for (const kind of kinds) yield [...rest, kind];
}

/** `count` operations of random kinds in random intervals, from `random` in [0, 1). */
export function randomOperations<Input, Output>(
  kinds: readonly Kind<Input, Output>[],
  count: number,
  random: () => number,
): Operation<Input, Output>[] {
  const below = (bound: number) => Math.floor(random() * bound);
  const intervals = Array.from({ length: count }, (): [number, number] => {
    const call = below(3 * count);
    return [call, call + below(2 * count)];
  });
  const operations = operationsOf(
    Array.from({ length: count }, () => kinds[below(kinds.length)]!),
    intervals,
  );
  // What failed has not happened, and must neither be needed by an order nor stand in one.
  return operations.map((operation) =>
    random() < 0.9
      ? operation
      : { ...operation, outcome: { type: "failed", return: operation.call + below(2 * count) } }
  );
}
