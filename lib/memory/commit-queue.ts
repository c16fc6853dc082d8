// Commits on their way to a platter: they complete in order, when the world says so, and a crash finds some of them
// under way.

type Done = (error: Error | null) => void;

type Waiting = {
  /** Makes it durable. */
  readonly apply: () => void;
  /** Takes back what was visible before it was durable. */
  readonly undo: () => void;
  readonly done: Done;
  ready: boolean;
};

/** Calls `run` when a commit is to complete: at once, later, or never. */
export type Complete = (run: () => void) => void;

export class CommitQueue {
  readonly #complete: Complete;
  #waiting: Waiting[] = [];
  #failed: Error | null = null;
  #stalled = false;
  /** Commits until one fails, and how; null = none will. */
  #failure: { countdown: number; readonly error: Error } | null = null;

  constructor(complete: Complete) {
    this.#complete = complete;
  }

  /** Commits that were asked for and have not completed. */
  get length(): number {
    return this.#waiting.length;
  }

  submit(apply: () => void, undo: () => void, done: Done): void {
    const commit: Waiting = { apply, undo, done, ready: false };
    this.#waiting.push(commit);
    if (this.#failed !== null) return done(this.#failed);
    this.#complete(() => {
      commit.ready = true;
      this.#drain();
    });
  }

  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
    this.#drain();
  }

  /** The `nth` commit from now on (1 = the next one) fails with `error`, and all after it until a crash. */
  failNth(nth: number, error: Error): void {
    this.#failure = { countdown: nth, error };
  }

  /** The process or machine is gone: commits under way become durable as long as `survives()`, then are lost. Nobody hears. */
  crash(survives: () => boolean): void {
    const waiting = this.#waiting;
    const wasHealthy = this.#failed === null;
    this.#waiting = [];
    this.#failed = null;
    this.#failure = null;
    this.#stalled = false;
    let kept = 0;
    while (wasHealthy && kept < waiting.length && survives()) waiting[kept++]?.apply();
    for (const lost of waiting.slice(kept).reverse()) lost.undo();
  }

  #drain(): void {
    for (
      let head = this.#waiting[0];
      head?.ready && !this.#stalled && this.#failed === null;
      head = this.#waiting[0]
    ) {
      if (this.#failure !== null && --this.#failure.countdown <= 0) return this.#fail(this.#failure.error);
      this.#waiting.shift();
      head.apply();
      head.done(null);
    }
  }

  /** What failed stays in the queue, to be undone by the crash that must follow. */
  #fail(error: Error): void {
    this.#failed = error;
    for (const { done } of [...this.#waiting]) done(error);
  }
}
