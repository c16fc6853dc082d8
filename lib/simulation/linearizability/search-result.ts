// What a search is allowed, and what it can find.
import type { Operation } from "./history.ts";

export type SearchLimits = {
  /** Steps (of the model, and of looking for one to take) before the search gives up. */
  readonly maxSteps: number;
  /** Situations remembered before the search gives up (a few hundred bytes each). */
  readonly maxSituations: number;
  /**
   * Let unknown operations happen any number of times. That allows more orders, so "not linearizable" stays true, and
   * an order says nothing; but what was used up need not be told apart, which makes it far cheaper.
   */
  readonly repeatUnknown?: boolean;
  /** Called now and then: how much of the history could be put in order, 0 to 1. */
  readonly onProgress?: (share: number) => void;
};

/** Where the longest attempt ended. */
export type DeadEnd<Input, Output> = {
  /** Null where it was not kept: it is long, or of a relaxed history. */
  readonly order: readonly Operation<Input, Output>[] | null;
  /** "" without an order. */
  readonly state: string;
  /** Its return is the first that no order can reach. */
  readonly blocked: Operation<Input, Output>;
};

export type SearchResult<Input, Output> =
  & { readonly steps: number }
  & (
    /** `order` holds every done operation and the unknown ones that had to have happened. */
    | { readonly type: "linearizable"; readonly order: readonly Operation<Input, Output>[] }
    | { readonly type: "not_linearizable"; readonly deadEnd: DeadEnd<Input, Output> }
    /** `blocked`: the operation that the search had not got past. */
    | { readonly type: "undecided"; readonly blocked: Operation<Input, Output> }
  );
