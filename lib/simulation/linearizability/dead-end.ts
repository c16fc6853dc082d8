// How far an order of the few operations of a proof gets, told in operations that are drawn: those that the proof needs, and
// the optional ones that the order uses.
import { checkOperations, stateAfter } from "./checker.ts";
import { type Operation, returnTime } from "./history.ts";
import type { Model } from "./model.ts";
import type { DeadEnd } from "./search-result.ts";

export type ShownEnd<State, Input, Output> = {
  /** Ids. */
  readonly shown: ReadonlySet<string>;
  readonly deadEnd: DeadEnd<Input, Output>;
  /** The model in the state in which the order begins; null without an order. */
  readonly from: Model<State, Input, Output> | null;
};

type Ending<State, Input, Output> = Pick<ShownEnd<State, Input, Output>, "deadEnd" | "from">;

/** How many optional operations are drawn at most. */
const MOST_USED = 3;
const MOST_STEPS = 1_000_000;

/**
 * `rest` fails from each of `starts`; `originals` holds its operations with the outcomes they had. Those that are shown get
 * them back, which only allows fewer orders: people see when they really ended. Where the order needs too many others, or
 * none is found in time, it is left out; `blocked` is then the operation that does not fit.
 */
export function shownEnd<State, Input, Output>(
  starts: readonly Model<State, Input, Output>[],
  rest: readonly Operation<Input, Output>[],
  originals: readonly Operation<Input, Output>[],
  blocked: Operation<Input, Output>,
): ShownEnd<State, Input, Output> {
  const needed = new Set(rest.filter(({ outcome }) => outcome.type === "ok").map(({ id }) => id));
  const byId = new Map(originals.map((operation) => [operation.id, operation]));
  const shown = new Set(needed);
  for (;;) {
    const candidate = rest.map((operation) =>
      shown.has(operation.id) ? byId.get(operation.id) ?? operation : operation
    );
    const ending = furthest(starts, candidate);
    const used = ending?.deadEnd.order?.filter(({ id }) => !shown.has(id)) ?? [];
    if (ending === null || shown.size + used.length > needed.size + MOST_USED) {
      return { shown: needed.add(blocked.id), from: null, deadEnd: { blocked, order: null, state: "" } };
    }
    if (used.length === 0) return { shown: shown.add(ending.deadEnd.blocked.id), ...ending };
    for (const { id } of used) shown.add(id);
  }
}

/** The longest of the orders that begin in one of `starts`. */
function furthest<State, Input, Output>(
  starts: readonly Model<State, Input, Output>[],
  operations: readonly Operation<Input, Output>[],
): Ending<State, Input, Output> | null {
  let best: Ending<State, Input, Output> | null = null;
  for (const from of starts) {
    const result = checkOperations(from, operations, { maxSteps: MOST_STEPS });
    if (result.type !== "not_linearizable") return null;
    const { deadEnd } = result;
    if (best === null || (deadEnd.order?.length ?? -1) > (best.deadEnd.order?.length ?? -1)) {
      best = { deadEnd, from };
    }
  }
  return best;
}

/**
 * The first operation that would make the blocked one possible but was called only after it had returned; null if one that
 * was called in time does so too: then it is not for want of it.
 */
export function tooLate<State, Input, Output>(
  from: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  { order, blocked }: DeadEnd<Input, Output>,
): Operation<Input, Output> | null {
  const { outcome, input } = blocked;
  if (order === null || outcome.type !== "ok") return null;
  const state = stateAfter(from, order);
  let first: Operation<Input, Output> | null = null;
  for (const operation of operations) {
    if (operation.outcome.type === "failed" || operation.id === blocked.id) continue;
    const after = from.step(state, operation.input, undefined);
    if (!after.ok || !from.step(after.state, input, outcome.output).ok) continue;
    if (operation.call <= returnTime(blocked)) return null;
    if (first === null || operation.call < first.call) first = operation;
  }
  return first;
}
