// What is simulated: a state machine, the operations that clients do on it, and what is checked about their answers. Bring
// your own to simulate your own machine; kv-workload.ts is the one of the key-value store.
import { ByteReader, ByteWriter } from "../bytes/mod.ts";
import type { StateMachineFactory } from "../replica/ports.ts";
import type { Model } from "./linearizability/model.ts";
import type { RandomSource } from "./random.ts";

export type WorkloadOperation<Query, Input> = {
  /** Operations on different keys are independent of each other (see Model.partition). */
  readonly key: string;
  /** As the model takes it. */
  readonly input: Input;
  readonly action:
    | { readonly type: "write"; readonly command: Uint8Array }
    | { readonly type: "read"; readonly query: Query };
};

/** One client: it draws operations and may remember what it learned, e.g. for conditional writes. */
export type WorkloadClient<Query, Input, Output> = {
  next(random: RandomSource): WorkloadOperation<Query, Input>;
  learned(operation: WorkloadOperation<Query, Input>, output: Output): void;
};

/** Watches the committed log and knows what every read of it must give. Complaints are sentences. */
export type Oracle<Query, Answer> = {
  committed(index: number, command: Uint8Array, result: Uint8Array): string | null;
  /** A read of the state as of `index`, at any consistency. */
  read(index: number, query: Query, answer: Answer): string | null;
};

export type Workload<Query, Answer, State, Input, Output> = {
  readonly name: string;
  readonly machine: StateMachineFactory<Query, Answer>;
  client(name: string): WorkloadClient<Query, Input, Output>;
  /** What the client sees of a result, as the model takes it. */
  outputOfResult(operation: WorkloadOperation<Query, Input>, result: Uint8Array): Output;
  outputOfAnswer(operation: WorkloadOperation<Query, Input>, answer: Answer): Output;
  /** Against which the history of linearizable operations is checked; absent = only by order in the log. */
  readonly model?: Model<State, Input, Output>;
  /** Made anew for every run. */
  readonly oracle?: () => Oracle<Query, Answer>;
};

/** Commands in the world carry the name of their operation, so that its fate can be looked up in the log. */
export function taggedCommand(operation: string, command: Uint8Array): Uint8Array {
  return new ByteWriter(command.byteLength + 16).text(operation).raw(command).finish();
}

export function tagOf(bytes: Uint8Array): { readonly operation: string; readonly command: Uint8Array } {
  const reader = new ByteReader(bytes);
  return { operation: reader.text(), command: reader.raw(reader.remaining) };
}

/** The machine behind commands that carry the name of their operation. */
export function taggedMachine<Query, Answer>(
  machine: StateMachineFactory<Query, Answer>,
): StateMachineFactory<Query, Answer> {
  return (store) => {
    const inner = machine(store);
    return {
      accepts: (command) => inner.accepts?.(tagOf(command).command) ?? true,
      apply: (applied) => inner.apply({ ...applied, command: tagOf(applied.command).command }),
      query: (query) => inner.query(query),
    };
  };
}
