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
  windows: readonly number[] = WINDOWS,
): Generator<Operations<Input, Output>> {
  const isRead = readOf(model);
  const prefix = until(model, operations, blocked);
  const ended = lastEndedFirst(prefix);
  for (const count of windows.filter((size) => size < ended.length)) {
    const near = new Set(ended.slice(0, count));
    yield prefix
      .filter((operation) => near.has(operation) || !isRead(operation))
      .map((operation) => near.has(operation) ? operation : asUnknown(operation));
  }
}

/**
 * The last so many operations, to be tried from whatever state what had ended before them may have left (Model.anyState):
 * that is gone. In an order of everything it stands before all of them, and what was called after `blocked` ended behind
 * them; what was under way when the first of them began may have happened before, so its outcome is forgotten.
 */
export function* sections<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: Operations<Input, Output>,
  blocked: Operation<Input, Output>,
  windows: readonly number[],
): Generator<Operations<Input, Output>> {
  const isRead = readOf(model);
  const prefix = until(model, operations, blocked);
  const ended = lastEndedFirst(prefix);
  for (const count of windows.filter((size) => size < ended.length)) {
    const begin = Math.min(...ended.slice(0, count).map(({ call }) => call));
    yield prefix
      .filter((operation) =>
        operation.call >= begin || (returnTime(operation) >= begin && !isRead(operation))
      )
      .map((operation) => operation.call >= begin ? operation : asUnknown(operation));
  }
}

function lastEndedFirst<Input, Output>(operations: Operations<Input, Output>): Operations<Input, Output> {
  return operations.filter(({ outcome }) => outcome.type === "ok")
    .toSorted((a, b) => returnTime(b) - returnTime(a));
}
