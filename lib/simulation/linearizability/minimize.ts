// From a history that cannot be ordered to the few operations that already cannot. Every reduction only ever *allows*
// more orders (relax.ts), so that the few are proof against the whole: reads go, outcomes of writes are forgotten, what
// ended before is replaced by whatever state it may have left, and a write is only left out when the rest was checked with
// it as an option: done or not, it helps no order.
import { certainlyNot, checkOperations } from "./checker.ts";
import { shownEnd, tooLate } from "./dead-end.ts";
import { asUnknown, type Operation, returnTime } from "./history.ts";
import { type Model, startingIn } from "./model.ts";
import { readOf, relaxations, sections, until } from "./relax.ts";
import type { DeadEnd } from "./search-result.ts";

export type Minimal<Input, Output> = {
  /** In the order of the history; no order of these is right. */
  readonly operations: readonly Operation<Input, Output>[];
  /** Whatever came before: what had ended when the first of them began is neither among them nor among the unhelpful. */
  readonly fromAnyState: boolean;
  /** Writes left out although an order might have used them: with any of them, at any later time, it fails too. */
  readonly unhelpful: number;
  readonly deadEnd: DeadEnd<Input, Output>;
  readonly tooLate: Operation<Input, Output> | null;
  /** Failed operations that would make all of it right had they happened. */
  readonly suspects: readonly Operation<Input, Output>[];
};

/** The model in every state in which it may begin with these operations; null: they are too many. */
type Starts<State, Input, Output> = (
  operations: readonly Operation<Input, Output>[],
) => readonly Model<State, Input, Output>[] | null;

type Fails<Input, Output> = (operations: readonly Operation<Input, Output>[]) => boolean;

/** Steps for one question while minimising, and for all: what is not answered within them is left as it is. */
const STEPS_PER_QUESTION = 100_000;
const STEPS_IN_ALL = 4_000_000;

/** Of so many operations before the blocked one a proof is looked for first. */
const WINDOWS = [1, 2, 4, 8, 16, 64, 256, 1024];
/** Of sections densely, for what was under way at their beginning matters: it may still happen in them. */
const SECTIONS = [...Array.from({ length: 48 }, (_, at) => at + 1), 64, 96, 128, 256, 512, 1024];

/** Of operations, all of one partition, that are not linearizable. Where the bounds do not let it get far, it names many. */
export function minimize<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
): Minimal<Input, Output> {
  let stepsLeft = STEPS_IN_ALL;
  const failing = (starts: Starts<State, Input, Output>): Fails<Input, Output> => (candidate) =>
    starts(candidate)?.every((from) => {
      if (stepsLeft <= 0) return false;
      const { answer, steps } = certainlyNot(from, candidate, STEPS_PER_QUESTION);
      // Each question also looks at every operation.
      stepsLeft -= steps + candidate.length;
      return answer;
    }) ?? false;
  const atFirst: Starts<State, Input, Output> = () => [model];
  const anywhere: Starts<State, Input, Output> = (candidate) =>
    model.anyState?.(candidate)?.map((state) => startingIn(model, state)) ?? null;

  const isRead = readOf(model);
  const possible = operations.filter(({ outcome, input }) =>
    outcome.type === "ok" || (outcome.type === "unknown" && !model.readOnly(input, undefined))
  );
  const section = firstSection(model, possible, blocked, failing(atFirst), failing(anywhere));
  const starts = section.fromAnyState ? anywhere : atFirst;
  const fails = failing(starts);
  const rest = reduceAll(section.operations, isRead, fails);
  const end = shownEnd(starts(rest) ?? [], rest, operations, blocked);
  return {
    operations: operations.filter(({ id }) => end.shown.has(id)),
    fromAnyState: section.fromAnyState,
    unhelpful: rest.length - end.shown.size,
    deadEnd: end.deadEnd,
    tooLate: tooLate(end.from ?? model, operations, end.deadEnd),
    suspects: suspects(model, operations, blocked),
  };
}

/** The smallest part of the history that is seen to fail: from the initial state if need be, from any if it can. */
function firstSection<State, Input, Output>(
  model: Model<State, Input, Output>,
  possible: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
  failsAtFirst: Fails<Input, Output>,
  failsAnywhere: Fails<Input, Output>,
): { readonly operations: readonly Operation<Input, Output>[]; readonly fromAnyState: boolean } {
  for (const count of SECTIONS) {
    const [near] = relaxations(model, possible, blocked, WINDOWS.includes(count) ? [count] : []);
    if (near !== undefined && failsAtFirst(near)) return { operations: near, fromAnyState: false };
    const [section] = sections(model, possible, blocked, model.anyState === undefined ? [] : [count]);
    if (section !== undefined && failsAnywhere(section)) return { operations: section, fromAnyState: true };
  }
  const prefix = until(model, possible, blocked);
  return { operations: failsAtFirst(prefix) ? prefix : possible, fromAnyState: false };
}

/** Reads go, outcomes of writes are forgotten, by turns: with the one, more of the other may turn out not to be needed. */
function reduceAll<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  isRead: (operation: Operation<Input, Output>) => boolean,
  fails: Fails<Input, Output>,
): readonly Operation<Input, Output>[] {
  const isDone = ({ outcome }: Operation<Input, Output>) => outcome.type === "ok";
  let rest = operations;
  for (let before = Infinity; rest.filter(isDone).length < before;) {
    before = rest.filter(isDone).length;
    rest = reduce(rest, isRead, () => null, fails);
    rest = reduce(rest, (operation) => isDone(operation) && !isRead(operation), asUnknown, fails);
  }
  return rest;
}

/**
 * Changes as many of the chosen operations as still leave a failure, in halves that get smaller (Zeller's ddmin,
 * one pass a size): to `change(operation)`, or to nothing where that is null.
 */
function reduce<Input, Output>(
  operations: readonly Operation<Input, Output>[],
  chosen: (operation: Operation<Input, Output>) => boolean,
  change: (operation: Operation<Input, Output>) => Operation<Input, Output> | null,
  fails: Fails<Input, Output>,
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

/** How many failed operations are tried as culprits, and in how many steps. */
const MOST_SUSPECTS = 200;
const STEPS_FOR_SUSPECTS = 4_000_000;

/** A failed operation that, had it happened all the same, would explain what was seen: reported failed, yet done. */
function suspects<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
): Operation<Input, Output>[] {
  let stepsLeft = STEPS_FOR_SUSPECTS;
  return operations
    .filter(({ outcome, call, input }) =>
      outcome.type === "failed" && call <= returnTime(blocked) && !model.readOnly(input, undefined)
    )
    .slice(-MOST_SUSPECTS)
    .filter((suspect) => {
      if (stepsLeft <= 0) return false;
      const candidate = operations.map((operation) =>
        operation === suspect ? asUnknown(operation) : operation
      );
      const { type, steps } = checkOperations(model, candidate, { maxSteps: STEPS_PER_QUESTION });
      stepsLeft -= steps + candidate.length;
      return type === "linearizable";
    });
}
