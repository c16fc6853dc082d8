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
  /**
   * Of an operation on several keys: what it comes to on each of them; `key` and `input` are then for people only. Each goes
   * into the history by itself, which asks less than that all happen at one instant: that is for the oracle.
   */
  readonly parts?: readonly { readonly key: string; readonly input: Input }[];
  readonly action:
    | { readonly type: "write"; readonly command: Uint8Array }
    | { readonly type: "read"; readonly query: Query };
};

/** One client: it draws operations and may remember what it learned (of each part), e.g. for conditional writes. */
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
  /**
   * What the client sees of a result, as the model takes it; of an operation on several keys it is asked for each part, as
   * an operation on that key. Undefined = it says nothing that the model knows.
   */
  outputOfResult(operation: WorkloadOperation<Query, Input>, result: Uint8Array): Output | undefined;
  outputOfAnswer(operation: WorkloadOperation<Query, Input>, answer: Answer): Output | undefined;
  /** Against which the history of linearizable operations is checked; absent = only by order in the log. */
  readonly model?: Model<State, Input, Output>;
  /** Made anew for every run. */
  readonly oracle?: () => Oracle<Query, Answer>;
};

/** The operations on single keys that an operation comes to. */
export function partsOf<Query, Input>(
  operation: WorkloadOperation<Query, Input>,
): readonly WorkloadOperation<Query, Input>[] {
  const { parts } = operation;
  return parts === undefined ? [operation] : parts.map((part) => ({ ...operation, ...part }));
}

/** How an entry of the history is named, of an operation on one key or on several. */
export function entryName(operation: string, key: string | null): string {
  return key === null ? operation : `${operation}/${key}`;
}

/** The name of the operation behind an entry of the history. */
export function operationOfEntry(name: string): string {
  return name.split("/", 1)[0] ?? name;
}

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
