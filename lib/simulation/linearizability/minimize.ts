// From a history that cannot be ordered to the few operations that already cannot. Every reduction only ever *allows*
// more orders (relax.ts), so that the few are proof against the whole: reads go, outcomes of writes are forgotten,
// and a write is only left out when the rest was checked with it as an option: done or not, it helps no order.
import { certainlyNot, checkOperations } from "./checker.ts";
import { asUnknown, type Operation, returnTime } from "./history.ts";
import type { Model } from "./model.ts";
import { readOf, relaxations, until } from "./relax.ts";
import type { DeadEnd } from "./search-result.ts";

export type Minimal<Input, Output> = {
  /** In order of their calls; no order of these is right. */
  readonly operations: readonly Operation<Input, Output>[];
  /** Writes left out although an order might have used them: with any of them, at any later time, it fails too. */
  readonly unhelpful: number;
  readonly deadEnd: DeadEnd<Input, Output>;
  /** Failed operations that would make all of it right had they happened. */
  readonly suspects: readonly Operation<Input, Output>[];
};

/** Steps for one question while minimising, and for all: what is not answered within them is left as it is. */
const STEPS_PER_QUESTION = 300_000;
const STEPS_IN_ALL = 10_000_000;

/** Null if the operations, all of one partition, are linearizable or that is not decided within the bounds. */
export function minimize<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
): Minimal<Input, Output> | null {
  let stepsLeft = STEPS_IN_ALL;
  const fails = (candidate: readonly Operation<Input, Output>[]) => {
    if (stepsLeft <= 0) return false;
    const { answer, steps } = certainlyNot(model, candidate, STEPS_PER_QUESTION);
    // Each question also looks at every operation.
    stepsLeft -= steps + candidate.length;
    return answer;
  };
  const isRead = readOf(model);
  let rest: readonly Operation<Input, Output>[] = operations.filter(({ outcome, input }) =>
    outcome.type === "ok" || (outcome.type === "unknown" && !model.readOnly(input, undefined))
  );
  const near = [...relaxations(model, rest, blocked)].find(fails);
  const prefix = until(model, rest, blocked);
  rest = near ?? (fails(prefix) ? prefix : rest);
  rest = reduce(rest, isRead, () => null, fails);
  rest = reduce(rest, (operation) => operation.outcome.type === "ok" && !isRead(operation), asUnknown, fails);
  // With the writes forgotten, further reads may turn out not to be needed.
  rest = reduce(rest, isRead, () => null, fails);
  const few = new Set(
    rest.filter(({ outcome }) => outcome.type === "ok").concat(relevant(model, rest)).map(({ id }) => id),
  );
  const shown = operations.filter(({ id }) => few.has(id));
  // With the outcomes they had, which only allows fewer orders than their forgotten ones.
  const originals = new Map(shown.map((operation) => [operation.id, operation]));
  const result = checkOperations(model, rest.map((operation) => originals.get(operation.id) ?? operation));
  if (result.type !== "not_linearizable") return null;
  return {
    operations: shown,
    unhelpful: rest.length - shown.length,
    deadEnd: result.deadEnd,
    suspects: suspects(model, operations, blocked),
  };
}

/**
 * Changes as many of the chosen operations as still leave a failure, in halves that get smaller (Zeller's ddmin,
 * one pass a size): to `change(operation)`, or to nothing where that is null.
 */
function reduce<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  chosen: (operation: Operation<Input, Output>) => boolean,
  change: (operation: Operation<Input, Output>) => Operation<Input, Output> | null,
  fails: (operations: readonly Operation<Input, Output>[]) => boolean,
): Operation<Input, Output>[] {
  let current = [...operations];
  let targets = current.filter(chosen);
  for (let size = targets.length; size >= 1; size = Math.floor(size / 2)) {
    let kept: Operation<Input, Output>[] = [];
    for (let start = 0; start < targets.length; start += size) {
      const chunk = new Set(targets.slice(start, start + size));
      const candidate = current.flatMap((operation) => {
        if (!chunk.has(operation)) return [operation];
        const changed = change(operation);
        return changed === null ? [] : [changed];
      });
      if (fails(candidate)) current = candidate;
      else kept = kept.concat([...chunk]);
    }
    targets = kept;
  }
  return current;
}

/** For a model that does not narrow: up to how many operations are all shown. */
const FEW = 8;

/** The unknown operations that could have to do with the others: a reader would look for them. */
function relevant<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): readonly Operation<Input, Output>[] {
  if (model.narrow === undefined) return operations.length <= FEW ? operations : [];
  return model.narrow(operations).operations;
}

/** How many failed operations are tried as culprits. */
const MOST_SUSPECTS = 200;

/** A failed operation that, had it happened all the same, would explain what was seen: reported failed, yet done. */
function suspects<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
): Operation<Input, Output>[] {
  return operations
    .filter(({ outcome, call, input }) =>
      outcome.type === "failed" && call <= returnTime(blocked) && !model.readOnly(input, undefined)
    )
    .slice(-MOST_SUSPECTS)
    .filter((suspect) => {
      const candidate = operations.map((operation) =>
        operation === suspect ? asUnknown(operation) : operation
      );
      return checkOperations(model, candidate, { maxSteps: STEPS_PER_QUESTION }).type ===
        "linearizable";
    });
}
