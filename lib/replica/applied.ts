// Carries committed entries into the state machine, in order and once each, and publishes the ordered stream of what was
// applied (design §3). The state becomes durable rarely, by the policy of the applied state.
import { decodeConfiguration, type Entry } from "../raft/mod.ts";
import type { Applied } from "./api.ts";
import type { AppliedState } from "./applied-state.ts";
import type { Clock, StateMachine } from "./ports.ts";

const noBytes = new Uint8Array(0);

/** What apply needs of a state machine, whatever it can be asked. */
export type Appliable = Pick<StateMachine<never, unknown>, "apply">;

export type ApplierOptions = {
  readonly state: AppliedState;
  readonly machine: Appliable;
  readonly clock: Clock;
  /** Whether the disk has room for a state commit of so much. */
  readonly hasRoom: (bytes: number) => boolean;
  /** Told of each entry, before the subscribers. */
  readonly onApplied: (index: number, term: number, result: Uint8Array) => void;
  readonly onStateCommit: (seconds: number) => void;
  readonly fail: (message: string) => void;
};

export class Applier {
  readonly #options: ApplierOptions;
  readonly #listeners = new Set<(applied: Applied) => void>();
  #committing = false;
  #committedAt: number;
  #index: number;
  #term: number;
  #time: number;

  constructor(options: ApplierOptions) {
    this.#options = options;
    const { appliedIndex, appliedTerm, logTime } = options.state.applied();
    this.#index = appliedIndex;
    this.#term = appliedTerm;
    this.#time = logTime;
    this.#committedAt = options.clock.monotonic();
  }

  get index(): number {
    return this.#index;
  }

  get term(): number {
    return this.#term;
  }

  /** Log time of the last applied entry, ms. */
  get time(): number {
    return this.#time;
  }

  subscribe(listener: (applied: Applied) => void): () => void {
    // A function of its own, so that one listener may be subscribed twice.
    const subscription = (applied: Applied) => listener(applied);
    this.#listeners.add(subscription);
    return () => {
      this.#listeners.delete(subscription);
    };
  }

  /** Throws what the state machine throws: then it cannot go on, and neither can this node. */
  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#applyOne(entry);
    this.maybeCommit();
  }

  /** Commits the state when that is due and there is room for it: nobody waits for it, all of it is in the log. */
  maybeCommit(): void {
    const { state, clock } = this.#options;
    if (this.#committing || !state.needsCommit(clock.monotonic() - this.#committedAt)) return;
    if (!this.#options.hasRoom(state.owedBytes)) return;
    this.commit((error) => {
      if (error !== null) this.#options.fail(`the state cannot be written: ${error.message}`);
    });
  }

  /** On the way out: without room the next start applies the rest again. */
  commitLast(done: (error: Error | null) => void): void {
    const { state, hasRoom } = this.#options;
    if (hasRoom(state.owedBytes)) this.commit(done);
    else done(null);
  }

  commit(done: (error: Error | null) => void): void {
    const { state, clock, onStateCommit } = this.#options;
    const began = clock.monotonic();
    this.#committing = true;
    state.commit((error) => {
      this.#committing = false;
      this.#committedAt = clock.monotonic();
      if (error === null) onStateCommit((this.#committedAt - began) / 1000);
      done(error);
    });
  }

  #applyOne({ index, term, time, type, data }: Entry): void {
    const { machine, state, onApplied } = this.#options;
    if (index !== this.#index + 1) {
      throw new Error(`entry ${index} was handed out after entry ${this.#index}`);
    }
    const isCommand = type === "command";
    const result = isCommand ? machine.apply({ index, term, time, command: data }) : noBytes;
    state.advance(index, term, time);
    if (type === "configuration") {
      state.adopt(state.applied().clusterId, { index, configuration: decodeConfiguration(data) });
    }
    this.#index = index;
    this.#term = term;
    this.#time = time;
    onApplied(index, term, result);
    if (this.#listeners.size === 0) return;
    const applied: Applied = { index, term, time, type, command: isCommand ? data : noBytes, result };
    for (const listener of this.#listeners) listener(applied);
  }
}
