// The reserve of free space: below it writes are refused, so that votes, reads and a restart still find room (design §4).
import type { Log, SpaceProbe } from "./ports.ts";

/** Probing costs a system call. */
const everyMs = 1000;

export class Space {
  readonly #probe: SpaceProbe;
  readonly #reserveBytes: number;
  readonly #log: Log;
  #probedAt = -Infinity;
  #full = false;

  constructor(probe: SpaceProbe, reserveBytes: number, log: Log) {
    this.#probe = probe;
    this.#reserveBytes = reserveBytes;
    this.#log = log;
  }

  /** Whether writes are to be refused, as of the last probe. */
  get full(): boolean {
    return this.#full;
  }

  tick(now: number): void {
    if (now - this.#probedAt < everyMs) return;
    this.#probedAt = now;
    const free = this.#probe();
    const full = free < this.#reserveBytes;
    if (full === this.#full) return;
    this.#full = full;
    const fields = { freeBytes: free, reserveBytes: this.#reserveBytes };
    if (full) this.#log("warning", "the disk is nearly full: writes are refused until there is room", fields);
    else this.#log("info", "the disk has room again: writes are taken", fields);
  }
}
