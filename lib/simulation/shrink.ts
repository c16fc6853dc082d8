// Makes a failing run smaller: fewer nodes, shorter, fewer faults (delta debugging), fewer operations, and shorter once more.
// A smaller run counts when it breaks the same invariant.
import type { Fault } from "./faults.ts";
import type { RunOptions, RunResult } from "./run.ts";

export type ShrinkProgress = (what: string) => void;

export type Shrunk = { readonly result: RunResult; readonly tries: number };

const defaultMs = 60_000;

/** `run` runs the world; at most `maxTries` times. */
export async function shrink(
  failed: RunResult,
  run: (options: RunOptions) => Promise<RunResult>,
  maxTries: number,
  progress: ShrinkProgress = () => {},
): Promise<Shrunk> {
  const attempts = new Attempts(failed, run, maxTries, progress);
  await attempts.shorter();
  // Another number of nodes draws another schedule: numbers of faults that somebody chose would mean others.
  const { nodes = 5, faults, keepFaults } = failed.options;
  if (nodes > 3 && faults === undefined && keepFaults === undefined) {
    if (await attempts.try({ nodes: 3 }, "three nodes")) await attempts.shorter();
  }
  await attempts.fewerFaults();
  await attempts.shorter();
  // Where too little happened, fewer operations are that, too, and say nothing.
  if (failed.violation?.invariant !== "Availability") await attempts.fewerOperations();
  // With less going on it often breaks earlier.
  await attempts.shorter();
  return { result: attempts.best, tries: attempts.tries };
}

class Attempts {
  best: RunResult;
  tries = 0;
  readonly #invariant: string | undefined;
  readonly #run: (options: RunOptions) => Promise<RunResult>;
  readonly #maxTries: number;
  readonly #progress: ShrinkProgress;

  constructor(
    failed: RunResult,
    run: (options: RunOptions) => Promise<RunResult>,
    maxTries: number,
    progress: ShrinkProgress,
  ) {
    this.best = failed;
    this.#invariant = failed.violation?.invariant;
    this.#run = run;
    this.#maxTries = maxTries;
    this.#progress = progress;
  }

  async try(change: Partial<RunOptions>, what: string): Promise<boolean> {
    if (this.tries >= this.#maxTries) return false;
    this.tries++;
    const result = await this.#run({ ...this.best.options, ...change });
    if (result.violation?.invariant !== this.#invariant) return false;
    this.best = result;
    this.#progress(what);
    return true;
  }

  /**
   * A run that broke under faults ended there: what was planned for later had no part in it. One that broke after the heal
   * may need no more than its last fault, or half the time, or half of that.
   */
  async shorter(): Promise<void> {
    const { simulatedMs } = this.best;
    if (simulatedMs < this.#durationMs) return void await this.#within(Math.ceil(simulatedMs));
    const lastAt = Math.max(0, ...this.#kept.map((number) => this.best.schedule[number]?.at ?? 0));
    const overAt = Math.max(0, ...this.#kept.map((number) => endOf(this.best.schedule[number])));
    if (!await this.#within(Math.ceil(lastAt) + 1)) await this.#within(Math.ceil(overAt) + 1);
    while (this.best.simulatedMs >= this.#durationMs && await this.#within(this.#durationMs >> 1));
    if (this.best.simulatedMs < this.#durationMs) await this.#within(Math.ceil(this.best.simulatedMs));
  }

  /** Halves, quarters, … and at last single faults are left out. */
  async fewerFaults(): Promise<void> {
    let kept = [...this.#kept];
    for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < kept.length;) {
        const fewer = [...kept.slice(0, from), ...kept.slice(from + size)];
        if (await this.try({ keepFaults: fewer }, `${fewer.length} faults`)) kept = fewer;
        else from += size;
      }
    }
  }

  /** Half of them, or a quarter, an eighth, a sixteenth less. */
  async fewerOperations(): Promise<void> {
    for (let share = 2; share <= 16;) {
      const { operations } = this.best;
      const fewer = operations - Math.ceil(operations / share);
      if (fewer < 1 || !await this.try({ maxOperations: fewer }, `${fewer} operations`)) share *= 2;
    }
  }

  get #durationMs(): number {
    return this.best.options.durationMs ?? defaultMs;
  }

  get #kept(): readonly number[] {
    return this.best.options.keepFaults ?? [...this.best.schedule.keys()];
  }

  /** The schedule of a shorter run is the beginning of this one's. */
  async #within(durationMs: number): Promise<boolean> {
    const { options: { keepFaults }, schedule } = this.best;
    if (durationMs < 1 || durationMs >= this.#durationMs) return false;
    const inTime = (number: number) => (schedule[number]?.at ?? 0) < durationMs;
    const kept = keepFaults === undefined ? {} : { keepFaults: keepFaults.filter(inTime) };
    return await this.try({ durationMs, ...kept }, `${durationMs} ms`);
  }
}

function endOf(fault: Fault | undefined): number {
  return fault === undefined ? 0 : fault.at + fault.forMs;
}
