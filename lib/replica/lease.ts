// Whether this leader's lease, and the age of a follower's state, may be believed (design §6): as long as the wall and the
// monotonic clock agree on how much time has passed. A suspended machine's monotonic clock may stand still while another leader is elected.
import type { Clock } from "./ports.ts";

export class Lease {
  readonly #clock: Clock;
  readonly #electionMs: number;
  /** By how much two clocks may differ between two looks before one of them is taken to have stopped or jumped, ms. */
  readonly #boundMs: number;
  #monotonic: number;
  #wall: number;
  /** Only rounds sent after this prove anything. */
  #doubtedAt = -Infinity;

  constructor(clock: Clock, electionMs: number) {
    this.#clock = clock;
    this.#electionMs = electionMs;
    this.#boundMs = electionMs / 20;
    this.#monotonic = clock.monotonic();
    this.#wall = clock.wall();
  }

  /** Compares the clocks; called at every tick and whenever the lease is used. */
  look(): void {
    const monotonic = this.#clock.monotonic();
    const wall = this.#clock.wall();
    const difference = Math.abs((wall - this.#wall) - (monotonic - this.#monotonic));
    this.#monotonic = monotonic;
    this.#wall = wall;
    if (difference > this.#boundMs) this.#doubtedAt = monotonic;
  }

  /** `leaseUntil` as the core says it: at most electionMs after the sending of the round that it rests on. */
  holds(leaseUntil: number): boolean {
    this.look();
    return this.#monotonic < leaseUntil && leaseUntil > this.#doubtedAt + this.#electionMs;
  }

  /** Whether time has certainly run on since `then` (monotonic ms), so that it may be subtracted from now. */
  countedSince(then: number): boolean {
    this.look();
    return then > this.#doubtedAt;
  }
}
