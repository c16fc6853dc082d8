// The definition itself, with no cleverness: is there a choice of unknown operations and an order of all, agreeing
// with real time, that the model accepts? Exponential; for a handful of operations.
import { type Operation, returnTime } from "../../../lib/simulation/linearizability/history.ts";
import type { Model } from "../../../lib/simulation/linearizability/model.ts";

export function linearizableByDefinition<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  return extend(model, model.init(), operations.filter(({ outcome }) => outcome.type !== "failed"));
}

function extend<State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State,
  rest: readonly Operation<Input, Output>[],
): boolean {
  if (rest.every(({ outcome }) => outcome.type === "unknown")) return true;
  return rest.some((next) => {
    if (rest.some((other) => returnTime(other) < next.call)) return false;
    const output = next.outcome.type === "ok" ? next.outcome.output : undefined;
    const result = model.step(state, next.input, output);
    return result.ok && extend(model, result.state, rest.filter((other) => other !== next));
  });
}

/** Throws unless `order` proves `operations` linearizable: complete, in real time, accepted by the model. */
export function verifyOrder<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  order: readonly Operation<Input, Output>[],
): void {
  const placed = new Set(order);
  if (placed.size !== order.length) throw new Error("an operation stands twice in the order");
  for (const operation of operations) {
    if (operation.outcome.type === "ok" && !placed.has(operation)) {
      throw new Error(`${operation.id} is missing`);
    }
    if (operation.outcome.type === "failed" && placed.has(operation)) {
      throw new Error(`${operation.id} failed`);
    }
  }
  let earliestReturn = Infinity;
  for (const operation of order.toReversed()) {
    if (earliestReturn < operation.call) throw new Error(`${operation.id} stands before one that had ended`);
    earliestReturn = Math.min(earliestReturn, returnTime(operation));
  }
  let state = model.init();
  for (const { id, input, outcome } of order) {
    const result = model.step(state, input, outcome.type === "ok" ? outcome.output : undefined);
    if (!result.ok) throw new Error(`${id} is not possible in ${model.describeState(state)}`);
    state = result.state;
  }
}
