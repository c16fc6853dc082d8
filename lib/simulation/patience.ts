// Every request ends in bounded time, done, refused or unknown: one whose process and clock ran undisturbed and that is not
// answered by its timeout is left hanging, however long its client would have waited.
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import type { Timeline } from "./time.ts";

/** Ticks, slow turns, drifting clocks: what a timeout may be late by, ms, and as a share. */
const slackMs = 500;
const drift = 1.1;

export class Patience {
  readonly #timeline: Timeline;
  readonly #invariants: Invariants;

  constructor(timeline: Timeline, invariants: Invariants) {
    this.#timeline = timeline;
    this.#invariants = invariants;
  }

  /** A request arrives at a process now; call what is returned when that has answered. */
  expect(what: string, process: SimulatedProcess, timeoutMs: number): () => void {
    const { clock } = process;
    const beganAt = this.#timeline.now;
    const stillBefore = process.stillMs;
    const look = () => {
      // Whoever stands still cannot answer; a clock that stood still does not know that it is time.
      if (!process.alive || clock.frozenUntil >= beganAt) return;
      const leftMs = beganAt + timeoutMs * drift + slackMs + process.stillMs - stillBefore -
        this.#timeline.now;
      if (leftMs > 0 || process.paused) cancel = this.#timeline.after(Math.max(leftMs, 100), look);
      else {this.#invariants.fail(
          "Patience",
          `${what} hangs at ${process.name}, its timeout was ${timeoutMs} ms`,
        );}
    };
    let cancel = this.#timeline.after(timeoutMs * drift + slackMs, look);
    return () => cancel();
  }
}
