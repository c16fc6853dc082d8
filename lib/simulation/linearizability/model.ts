// What a history is checked against: a sequential state machine that says, for one operation at a time,
// whether its output is right in a state, and which state follows.
import type { Operation } from "./history.ts";

export type StepResult<State> = { readonly ok: true; readonly state: State } | { readonly ok: false };

export const IMPOSSIBLE: { readonly ok: false } = { ok: false };

export type Decoded<Input, Output> =
  /** `output` is undefined where the outcome is not known. */
  | { readonly ok: true; readonly input: Input; readonly output: Output | undefined }
  | { readonly ok: false; readonly reason: string };

export type Model<State, Input, Output> = {
  readonly name: string;
  /** "key": every key has a state of its own. "whole": one state behind all keys, nothing is split. */
  readonly partition: "key" | "whole";
  init(): State;
  /**
   * Deterministic and without side effects. `output` undefined means the outcome is unknown: return the state
   * after it took effect, or not ok where it would have had none (that is the same as never having happened).
   */
  step(state: State, input: Input, output: Output | undefined): StepResult<State>;
  /** Two states are equal exactly when their keys are. */
  key(state: State): string | number;
  /** With this output the operation never changes any state (a read, a refused condition). */
  readOnly(input: Input, output: Output | undefined): boolean;
  /** Unknown operations with equal text are interchangeable. Without it each is its own kind (slower). */
  inputKey?(input: Input): string;
  /**
   * Unknown, it leaves a state in which nothing of an unknown operation right before it is left that could help.
   * Only saves time.
   */
  overwrites?(input: Input): boolean;
  /**
   * A smaller or simpler history, and model, that is linearizable exactly when the given one (of one
   * partition) is. Operations keep their ids.
   */
  narrow?(operations: readonly Operation<Input, Output>[]): {
    readonly model: Model<State, Input, Output>;
    readonly operations: readonly Operation<Input, Output>[];
  };
  /**
   * States for when it is not known what came before these operations: whatever state that left, one of these allows
   * every order of them that it does. Null: there are too many. Only makes explanations short.
   */
  anyState?(operations: readonly Operation<Input, Output>[]): readonly State[] | null;
  /** For people: "put 1", "get → 2"; an unknown output as "put 1 → ?". */
  describe(input: Input, output: Output | undefined): string;
  describeState(state: State): string;
};

export type Encoded = { readonly input: unknown; readonly output: unknown };

/** A model whose histories can be written to files and read from them, as plain JSON. */
export type FileModel<State, Input, Output> = Model<State, Input, Output> & {
  /** Checks what a file says. `output` is undefined where the outcome is unknown or failed. */
  decode(input: unknown, output: unknown): Decoded<Input, Output>;
  encode(input: Input, output: Output | undefined): Encoded;
};

/** The same model, beginning in another state. */
export function startingIn<State, Input, Output>(
  model: Model<State, Input, Output>,
  state: State,
): Model<State, Input, Output> {
  const init = () => state;
  const { narrow } = model;
  if (narrow === undefined) return { ...model, init };
  return {
    ...model,
    init,
    narrow: (operations) => {
      const narrowed = narrow(operations);
      return { ...narrowed, model: { ...narrowed.model, init } };
    },
  };
}

/** For holders of models that do not look inside states, inputs and outputs. */
export type AnyModel = FileModel<unknown, unknown, unknown>;

/**
 * A model as one over unknown types. Safe as long as only what the model's own `decode`, `init` and `step` made
 * is given back to it, which is what the checker does.
 */
export function anyModel<State, Input, Output>(model: FileModel<State, Input, Output>): AnyModel {
  return model as unknown as AnyModel;
}
