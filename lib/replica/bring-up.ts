// Bringing a new member up in rounds (diss. §4.2.1): each round replicates what the log held when the round began. One
// that takes less than an election timeout shows that the member can keep up; only then it may vote.

export type BringUpStatus = {
  readonly rounds: number;
  /** Entries it is behind. */
  readonly lag: number;
  readonly caughtUp: boolean;
  /** So many rounds, and none was short: what it gets done is less than what is written. */
  readonly cannotKeepUp: boolean;
};

const manyRounds = 10;
/** A round that takes so long says the same as many, ms. */
const longRoundMs = 60_000;

export class BringUp {
  #began: number;
  #target: number;
  #rounds = 0;
  #match = 0;
  #last: number;
  #caughtUp = false;

  /** `lastIndex` of the leader's log now. */
  constructor(now: number, lastIndex: number) {
    this.#began = now;
    this.#target = lastIndex;
    this.#last = lastIndex;
  }

  /** What the leader knows now; `shortMs` is what a round may take. */
  look(now: number, matchIndex: number, lastIndex: number, shortMs: number): void {
    this.#match = matchIndex;
    this.#last = lastIndex;
    if (matchIndex < this.#target) return;
    this.#rounds++;
    this.#caughtUp = now - this.#began <= shortMs;
    this.#began = now;
    this.#target = lastIndex;
  }

  status(now: number): BringUpStatus {
    const slow = this.#rounds >= manyRounds || now - this.#began >= longRoundMs;
    return {
      rounds: this.#rounds,
      lag: Math.max(0, this.#last - this.#match),
      caughtUp: this.#caughtUp,
      cannotKeepUp: slow && !this.#caughtUp,
    };
  }
}

export function bringUpSentence({ rounds, lag, caughtUp, cannotKeepUp }: BringUpStatus): string {
  if (caughtUp) return "caught up";
  const where = `round ${rounds + 1}, ${lag} entries behind`;
  return cannotKeepUp ? `cannot keep up with what is written: ${where}` : `is being brought up: ${where}`;
}
