// Unknown operations grouped into kinds that are interchangeable: of equal ones, an order may always use the one
// called first, so a search counts how many of a kind it used instead of choosing among them.
import type { Operation } from "./history.ts";
import type { Model } from "./model.ts";

export type KindOfUnknown<Input, Output> = {
  readonly input: Input;
  readonly overwrites: boolean;
  /** In order of their calls. */
  readonly operations: Operation<Input, Output>[];
  /** How many operations the kinds before this one have. */
  offset: number;
};

export type KindsOfUnknown<Input, Output> = readonly KindOfUnknown<Input, Output>[];

/** Of the unknown operations, in the order of the kinds' first calls; those that never change anything are left out. */
export function kindsOfUnknown<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): KindsOfUnknown<Input, Output> {
  const kinds = new Map<string, KindOfUnknown<Input, Output>>();
  const unknown = operations
    .filter(({ outcome, input }) => outcome.type === "unknown" && !model.readOnly(input, undefined))
    .sort((a, b) => a.call - b.call);
  unknown.forEach((operation, index) => {
    const key = model.inputKey === undefined ? String(index) : model.inputKey(operation.input);
    const kind = kinds.get(key);
    if (kind !== undefined) {
      kind.operations.push(operation);
      return;
    }
    const { input } = operation;
    kinds.set(key, {
      input,
      overwrites: model.overwrites?.(input) ?? false,
      operations: [operation],
      offset: 0,
    });
  });
  let offset = 0;
  for (const kind of kinds.values()) {
    kind.offset = offset;
    offset += kind.operations.length;
  }
  return [...kinds.values()];
}
