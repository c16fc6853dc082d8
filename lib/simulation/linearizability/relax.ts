// Histories that allow more orders than a given one: if even they cannot be ordered, it cannot. Leaving out a read
// (or a refused operation) allows more, because it changes nothing; so does forgetting a write's outcome,
// because "any time later, or never" includes what happened.
import { asUnknown, type Operation, returnTime } from "./history.ts";
import type { Model } from "./model.ts";

type Operations<Input, Output> = readonly Operation<Input, Output>[];

export function readOf<State, Input, Output>(
  model: Model<State, Input, Output>,
): (operation: Operation<Input, Output>) => boolean {
  return ({ input, outcome }) => model.readOnly(input, outcome.type === "ok" ? outcome.output : undefined);
}

/**
 * What happened until `blocked` ended; what was open then may have happened or not. Later operations are gone: none of
 * them can come before an end that no order reaches.
 */
export function until<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Operations<Input, Output>,
  blocked: Operation<Input, Output>,
): Operations<Input, Output> {
  const end = returnTime(blocked);
  const isRead = readOf(model);
  return operations
    .filter((operation) => operation.call <= end && (returnTime(operation) <= end || !isRead(operation)))
    .map((operation) => returnTime(operation) <= end ? operation : asUnknown(operation));
}

/** Windows of so many operations before the blocked one. */
const WINDOWS = [4, 16, 64, 256, 1024];

/** Most contradictions are between neighbours: of all but the last so many operations, only what writes may have left. */
export function* relaxations<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Operations<Input, Output>,
  blocked: Operation<Input, Output>,
): Generator<Operations<Input, Output>> {
  const isRead = readOf(model);
  const prefix = until(model, operations, blocked);
  const ended = prefix.filter(({ outcome }) => outcome.type === "ok").sort((a, b) =>
    returnTime(b) - returnTime(a)
  );
  for (const count of WINDOWS.filter((size) => size < ended.length)) {
    const near = new Set(ended.slice(0, count));
    yield prefix
      .filter((operation) => near.has(operation) || !isRead(operation))
      .map((operation) => near.has(operation) ? operation : asUnknown(operation));
  }
}
