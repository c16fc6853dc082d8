// What clients did and saw: operations with the interval in which each may have taken effect. Times are
// integers on one clock that all clients share (virtual time, or positions in a file); only their order counts.

/** `return` is when the client learned of the outcome. An unknown outcome has none: it may still happen. */
export type Outcome<Output> =
  | { readonly type: "ok"; readonly output: Output; readonly return: number }
  /** Definitely not done: it must not be visible to anyone, so the checker leaves it out. */
  | { readonly type: "failed"; readonly return: number }
  /** May have happened at any time after the call, or never. */
  | { readonly type: "unknown" };

export type Operation<Input, Output> = {
  /** Unique in its history; explanations name operations by it. */
  readonly id: string;
  readonly client: string;
  /** Operations on different keys are independent of each other and are checked apart. */
  readonly key: string;
  readonly input: Input;
  readonly call: number;
  readonly outcome: Outcome<Output>;
};

export type History<Input, Output> = readonly Operation<Input, Output>[];

/** When the operation ended; an unknown outcome never ends. */
export function returnTime<Input, Output>(operation: Operation<Input, Output>): number {
  return operation.outcome.type === "unknown" ? Infinity : operation.outcome.return;
}

/** The same operation with its outcome forgotten: it may have happened later, or never. */
export function asUnknown<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  return { ...operation, outcome: { type: "unknown" } };
}

/** The history by key, in order of first appearance. */
export function partitionByKey<Input, Output>(
  history: History<Input, Output>,
): Map<string, Operation<Input, Output>[]> {
  const partitions = new Map<string, Operation<Input, Output>[]>();
  for (const operation of history) {
    const partition = partitions.get(operation.key);
    if (partition === undefined) partitions.set(operation.key, [operation]);
    else partition.push(operation);
  }
  return partitions;
}
