// Histories made to order, from a seed: clients with overlapping operations on keys that behave, some of whose
// outcomes stay unknown. For measuring the checker, and for trying it on histories known to be good.
import type { Operation, Outcome } from "./history.ts";
import type { Model } from "./model.ts";

export type HistoryShape<Input> = {
  readonly operations: number;
  /** Clients on each key; how much overlaps. */
  readonly clients: number;
  readonly keys: number;
  /** Share of operations whose outcome is unknown; half of those took effect, some long after the call. */
  readonly unknownShare: number;
  /** A fresh input; `serial` is different every time. */
  readonly input: (random: () => number, serial: number) => Input;
};

/** A history of a correct system. `answer` gives the output of an input in a state, and the state after it. */
export function generateHistory<State, Input, Output>(
  model: Pick<Model<State, Input, Output>, "init">,
  answer: (state: State, input: Input) => { readonly state: State; readonly output: Output },
  shape: HistoryShape<Input>,
  random: () => number,
): Operation<Input, Output>[] {
  const history: Operation<Input, Output>[] = [];
  for (let key = 0; key < shape.keys; key++) {
    const count = Math.floor(shape.operations / shape.keys);
    history.push(...generateKey(model, answer, { ...shape, operations: count }, random, `key${key}`));
  }
  return history.sort((a, b) => a.call - b.call);
}

type Planned<Input> = {
  readonly input: Input;
  readonly call: number;
  readonly at: number;
  readonly end: number;
};

function generateKey<State, Input, Output>(
  model: Pick<Model<State, Input, Output>, "init">,
  answer: (state: State, input: Input) => { readonly state: State; readonly output: Output },
  shape: HistoryShape<Input>,
  random: () => number,
  key: string,
): Operation<Input, Output>[] {
  const free = Array.from({ length: shape.clients }, () => Math.floor(random() * 100));
  const planned: (Planned<Input> & { readonly client: number; readonly unknown: boolean })[] = [];
  for (let serial = 0; serial < shape.operations; serial++) {
    const client = free.indexOf(Math.min(...free));
    const call = free[client] ?? 0;
    const end = call + 1 + Math.floor(random() * 100);
    const unknown = random() < shape.unknownShare;
    // An unknown operation takes effect in time, a good while later, or never.
    const fate = random();
    const at = !unknown
      ? call + random() * (end - call)
      : fate < 0.5
      ? Infinity
      : call + random() * 1000 * fate;
    planned.push({ input: shape.input(random, serial), call, at, end, client, unknown });
    free[client] = end + 1 + Math.floor(random() * 20);
  }
  let state = model.init();
  const outcomes = new Map<Planned<Input>, Outcome<Output>>();
  for (const operation of planned.toSorted((a, b) => a.at - b.at)) {
    if (operation.at === Infinity) break;
    const { state: after, output } = answer(state, operation.input);
    state = after;
    if (!operation.unknown) outcomes.set(operation, { type: "ok", output, return: operation.end });
  }
  return planned.map((operation, index) => ({
    id: `${key}#${index + 1}`,
    client: `${key}/c${operation.client + 1}`,
    key,
    input: operation.input,
    call: operation.call,
    outcome: outcomes.get(operation) ?? { type: "unknown" },
  }));
}
