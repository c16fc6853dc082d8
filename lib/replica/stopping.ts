// The orderly end of a replica (design §3): hand leadership over, let what is in flight end, settle the rest, make the
// state durable, close. Each step has its part of the time; the last ones are taken whatever the first ones did.
import type { Scheduler } from "./ports.ts";
import type { Proposals } from "./proposals.ts";
import type { Running } from "./running.ts";

export type StoppingOptions = {
  /** Monotonic ms. */
  readonly now: number;
  readonly timeoutMs: number;
  readonly scheduler: Scheduler;
  /** null: it never took part. */
  readonly running: Running | null;
  readonly proposals: Proposals;
  /** Settles what waits, stops the ticks. */
  readonly end: () => void;
  readonly commit: (done: (error: Error | null) => void) => void;
  readonly close: () => void;
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
};

export class Stopping {
  readonly #options: StoppingOptions;
  readonly #transferUntil: number;
  readonly #settleUntil: number;
  readonly #waiting: (() => void)[] = [];
  /** It led when it was told to stop. */
  #led = false;
  #ending = false;
  #over = false;
  #cancel: () => void = () => {};

  constructor(options: StoppingOptions) {
    this.#options = options;
    this.#transferUntil = options.now + options.timeoutMs * 0.5;
    this.#settleUntil = options.now + options.timeoutMs * 0.8;
  }

  /** Calls `resolve` when all is closed. */
  onClosed(resolve: () => void): void {
    if (this.#over) resolve();
    else this.#waiting.push(resolve);
  }

  begin(): void {
    const { running, proposals, scheduler, timeoutMs } = this.#options;
    // Not guarded: it is to happen also when the ticks have stopped for a failure.
    this.#cancel = scheduler.after(timeoutMs, () => this.#finish());
    for (const waiter of proposals.takeQueued()) proposals.refuse(waiter, "stopping");
    if (running === null) return this.#end();
    this.#led = running.leads;
    if (this.#led) running.transfer(null);
  }

  tick(now: number): void {
    const { running, proposals } = this.#options;
    if (this.#ending || running === null) return;
    if (this.#handsOver(running) && now < this.#transferUntil) return;
    const inFlight = proposals.count + running.pendingReads;
    if (inFlight > 0 && now < this.#settleUntil) return;
    this.#end();
  }

  /** It led others, and no successor is known yet. */
  #handsOver(running: Running): boolean {
    if (!this.#led || running.status().configuration.configuration.voters.length < 2) return false;
    // One that was given up, because the successor did not answer, is tried again with another.
    if (running.leads && running.status().transferTarget === null) running.transfer(null);
    return running.leads || running.leaderId === null;
  }

  #end(): void {
    if (this.#ending) return;
    this.#ending = true;
    const { end, commit, guard, fail } = this.#options;
    end();
    commit((error) => {
      guard(() => {
        if (error !== null) fail(`the state cannot be written: ${error.message}`);
        this.#finish();
      });
    });
  }

  /** Also when a disk hangs: what was not committed is applied again from the log. */
  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancel();
    const { end, close } = this.#options;
    end();
    close();
    for (const resolve of this.#waiting) resolve();
  }
}
