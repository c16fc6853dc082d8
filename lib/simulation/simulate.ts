// The front door: runs a workload in the world, seed after seed, and makes what fails small. For the command line, the
// hunt, tests, and people with a state machine of their own.
import { shrink } from "./shrink.ts";
import type { Workload } from "./workload.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { runWorld } from "./world.ts";

export type SimulateOptions<Query, Answer, State, Input, Output> = {
  readonly workload: Workload<Query, Answer, State, Input, Output>;
  /** Seeds are tried in this order. */
  readonly seeds: Iterable<number>;
  /** Everything else of the runs. */
  readonly run?: Omit<RunOptions, "seed" | "trace">;
  /** Told of each finished run. */
  readonly onRun?: (result: RunResult) => void;
  readonly onShrink?: (what: string) => void;
  /** Runs spent on making a failure small; 0 = it is shown as it is. Default 60. */
  readonly maxShrinkRuns?: number;
  /** True: the first failure ends it. Default true. */
  readonly stopAtFailure?: boolean;
};

export type Failure = { readonly failed: RunResult; readonly shrunk: RunResult };

export type SimulationReport = {
  readonly runs: number;
  readonly operations: number;
  readonly faults: number;
  readonly committed: number;
  readonly messages: number;
  readonly simulatedMs: number;
  readonly failures: readonly Failure[];
};

/** Adds runs up. */
export class Tally {
  #runs = 0;
  #operations = 0;
  #faults = 0;
  #committed = 0;
  #messages = 0;
  #simulatedMs = 0;
  readonly #failures: Failure[] = [];

  /** `shrunk`: the smaller run that shows the same, of one that failed. */
  add(result: RunResult, shrunk: RunResult | null): void {
    this.#runs++;
    this.#operations += result.operations;
    this.#faults += result.faults;
    this.#committed += result.committed;
    this.#messages += result.messages;
    this.#simulatedMs += result.simulatedMs;
    if (shrunk !== null) this.#failures.push({ failed: result, shrunk });
  }

  report(): SimulationReport {
    return {
      runs: this.#runs,
      operations: this.#operations,
      faults: this.#faults,
      committed: this.#committed,
      messages: this.#messages,
      simulatedMs: this.#simulatedMs,
      failures: this.#failures,
    };
  }
}

export async function simulate<Query, Answer, State, Input, Output>(
  options: SimulateOptions<Query, Answer, State, Input, Output>,
): Promise<SimulationReport> {
  const { workload, seeds, run = {}, maxShrinkRuns = 60, stopAtFailure = true } = options;
  const tally = new Tally();
  for (const seed of seeds) {
    const result = await runWorld(workload, { ...run, seed });
    options.onRun?.(result);
    const again = (smaller: RunOptions) => runWorld(workload, smaller);
    const shrunk = result.violation === null
      ? null
      : maxShrinkRuns === 0
      ? result
      : (await shrink(result, again, maxShrinkRuns, options.onShrink)).result;
    tally.add(result, shrunk);
    if (shrunk !== null && stopAtFailure) break;
  }
  return tally.report();
}
