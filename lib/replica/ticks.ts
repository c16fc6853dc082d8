// The core's ticks. One that comes late, after a pause of the process, lets the messages that wait in the sockets come
// first: timers fire before them, and an election for want of a heartbeat that is already here is a needless one.
import type { Clock, Scheduler } from "./ports.ts";

/** A tick is late when it comes so many ticks after it was due. */
const lateTicks = 3;

export class Ticks {
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #everyMs: number;
  readonly #tick: () => void;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, scheduler: Scheduler, everyMs: number, tick: () => void) {
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#everyMs = everyMs;
    this.#tick = tick;
  }

  start(): void {
    const dueAt = this.#clock.monotonic() + this.#everyMs;
    this.#cancel = this.#scheduler.after(this.#everyMs, () => {
      if (this.#clock.monotonic() - dueAt <= lateTicks * this.#everyMs) return this.#fire();
      // The first turn may be the rest of the one in which timers fired; the second has looked at the sockets.
      this.#scheduler.defer(() => this.#scheduler.defer(() => this.#fire()));
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #fire(): void {
    if (this.#cancel === null) return;
    this.start();
    this.#tick();
  }
}
