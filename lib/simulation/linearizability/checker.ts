// Is a history linearizable (Herlihy & Wing 1990)? Split by key, because a history is linearizable exactly when
// the part of every object is (locality; Lowe 2017 calls it P-compositionality), each part decided by search.ts.
import { type History, type Operation, partitionByKey } from "./history.ts";
import type { Model } from "./model.ts";
import { relaxations } from "./relax.ts";
import { search } from "./search.ts";
import type { DeadEnd, SearchLimits, SearchResult } from "./search-result.ts";

export type CheckOptions = {
  /** Steps for each key before its verdict is "undecided". */
  readonly maxSteps?: number;
  /** Situations remembered for each key before its verdict is "undecided"; about 200 bytes each. */
  readonly maxSituations?: number;
  readonly onProgress?: (progress: Progress) => void;
};

export type Progress = {
  readonly partitions: number;
  readonly partitionsDone: number;
  /** Operations of the partition being decided, and how much of it could be put in order so far, 0 to 1. */
  readonly operations: number;
  readonly share: number;
};

export type PartitionVerdict<Input, Output> =
  & {
    /** "" for a model that is not split. */
    readonly key: string;
    readonly operations: readonly Operation<Input, Output>[];
    readonly steps: number;
  }
  & (
    /** `order` proves it: every done operation, and the unknown ones that must have happened. */
    | { readonly type: "linearizable"; readonly order: readonly Operation<Input, Output>[] }
    | { readonly type: "not_linearizable"; readonly deadEnd: DeadEnd<Input, Output> }
    | { readonly type: "undecided"; readonly blocked: Operation<Input, Output> }
  );

export type Verdict<Input, Output> = {
  /** One bad key makes it not linearizable; else one undecided key makes it undecided. */
  readonly type: "linearizable" | "not_linearizable" | "undecided";
  readonly operations: number;
  readonly steps: number;
  readonly partitions: readonly PartitionVerdict<Input, Output>[];
};

export const DEFAULT_MAX_STEPS = 200_000_000;
export const DEFAULT_MAX_SITUATIONS = 4_000_000;

/** Decides the whole history; never throws for a history whose ids are unique and whose returns follow their calls. */
export function checkHistory<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: History<Input, Output>,
  options: CheckOptions = {},
): Verdict<Input, Output> {
  const parts = model.partition === "key" ? partitionByKey(history) : new Map([["", [...history]]]);
  const partitions: PartitionVerdict<Input, Output>[] = [];
  for (const [key, operations] of parts) {
    const report = (share: number) =>
      options.onProgress?.({
        partitions: parts.size,
        partitionsDone: partitions.length,
        operations: operations.length,
        share,
      });
    report(0);
    partitions.push({
      key,
      operations,
      ...checkOperations(model, operations, { ...options, onShare: report }),
    });
  }
  const types = new Set(partitions.map(({ type }) => type));
  return {
    type: types.has("not_linearizable")
      ? "not_linearizable"
      : types.has("undecided")
      ? "undecided"
      : "linearizable",
    operations: history.length,
    steps: partitions.reduce((sum, { steps }) => sum + steps, 0),
    partitions,
  };
}

type PartitionOptions = Pick<CheckOptions, "maxSteps" | "maxSituations"> & {
  readonly onShare?: (share: number) => void;
  /** Steps of the first search, before shorter proofs are tried with about as many. */
  readonly quickSteps?: number;
};

const QUICK_STEPS = 3_000_000;
/** Steps of each attempt to find the contradiction among the neighbours of where the first search stuck. */
const WINDOW_STEPS = 500_000;

/** Decides operations on one object, without splitting them. */
export function checkOperations<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  options: PartitionOptions = {},
): SearchResult<Input, Output> {
  const { maxSteps = DEFAULT_MAX_STEPS, maxSituations = DEFAULT_MAX_SITUATIONS, onShare } = options;
  const { quickSteps = QUICK_STEPS } = options;
  // What definitely did not happen constrains nothing; that nobody saw it follows from nobody having done it.
  const possible = operations.filter(({ outcome }) => outcome.type !== "failed");
  let steps = 0;
  const attempt = (some: readonly Operation<Input, Output>[], most: number, repeatUnknown: boolean) => {
    const limits = { maxSituations, repeatUnknown, maxSteps: Math.min(most, maxSteps - steps) };
    const result = searchNarrowed(model, some, onShare ? { ...limits, onProgress: onShare } : limits);
    steps += result.steps;
    return { ...result, steps };
  };
  const quick = attempt(possible, quickSteps, false);
  if (quick.type !== "undecided") return quick;
  // A search that fails must go through everything before the failure, which many unknown writes of few values make
  // long. Much less, with all else forgotten and unknown writes happening at will, is often already impossible.
  for (const relaxed of [...relaxations(model, possible, quick.blocked), possible]) {
    if (steps >= maxSteps) return { ...quick, steps };
    const result = attempt(
      relaxed,
      relaxed === possible ? quickSteps : Math.min(quickSteps, WINDOW_STEPS),
      true,
    );
    if (result.type === "not_linearizable") return result;
  }
  return attempt(possible, maxSteps, false);
}

/** Are these certainly not linearizable? Two short attempts, for asking often. */
export function certainlyNot<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  maxSteps: number,
): { readonly answer: boolean; readonly steps: number } {
  let steps = 0;
  for (const repeatUnknown of [true, false]) {
    const limits = { maxSteps, maxSituations: DEFAULT_MAX_SITUATIONS, repeatUnknown };
    const result = searchNarrowed(model, operations, limits);
    steps += result.steps;
    if (result.type === "not_linearizable") return { answer: true, steps };
  }
  return { answer: false, steps };
}

function searchNarrowed<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: SearchLimits,
): SearchResult<Input, Output> {
  if (model.narrow === undefined) return search(model, operations, limits);
  const narrowed = model.narrow(operations);
  return withOriginals(model, search(narrowed.model, narrowed.operations, limits), operations);
}

/** Narrowing may have renamed what is in an operation: people are shown what they know. */
function withOriginals<State, Input, Output>(
  model: Model<State, Input, Output>,
  result: SearchResult<Input, Output>,
  operations: readonly Operation<Input, Output>[],
): SearchResult<Input, Output> {
  const byId = new Map(operations.map((operation) => [operation.id, operation]));
  const original = (operation: Operation<Input, Output>) => byId.get(operation.id) ?? operation;
  if (result.type === "undecided") return { ...result, blocked: original(result.blocked) };
  if (result.type === "linearizable") return { ...result, order: result.order.map(original) };
  const order = result.deadEnd.order?.map(original) ?? null;
  const state = order === null ? "" : model.describeState(stateAfter(model, order));
  return { ...result, deadEnd: { order, state, blocked: original(result.deadEnd.blocked) } };
}

/** The state after these operations; those that are not possible in their place are passed over. */
export function stateAfter<State, Input, Output>(
  model: Model<State, Input, Output>,
  order: readonly Operation<Input, Output>[],
): State {
  let state = model.init();
  for (const { input, outcome } of order) {
    const result = model.step(state, input, outcome.type === "ok" ? outcome.output : undefined);
    if (result.ok) state = result.state;
  }
  return state;
}
