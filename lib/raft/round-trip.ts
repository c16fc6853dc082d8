// How long a follower usually takes to acknowledge entries, by which its leader knows when to send again (RFC 6298).

/** One message with entries, or a probe: the round that it carried, which its answer echoes, and when it was sent. */
export type Sending = { readonly round: number; readonly sentAt: number };

/** Older ones are not waited for. */
const maxRemembered = 64;

export class RoundTrip {
  #usualMs = 0;
  #deviationMs = 0;
  #unanswered: Sending[] = [];

  /** Moving average, ms (RFC 6298 "SRTT"); 0 = none measured. */
  get usualMs(): number {
    return this.#usualMs;
  }

  /**
   * After how long an answer is overdue, ms (RFC 6298 "RTO"); 0 = none measured. Never less than one and a half times the
   * usual: also after a long time of even answers a single slow one must not have a whole window sent again.
   */
  get patienceMs(): number {
    return this.#usualMs + Math.max(this.#usualMs / 2, 4 * this.#deviationMs);
  }

  /** What took longer than anybody would have waited is a first measurement again: it counts at once, not by and by. */
  measured(tookMs: number): void {
    if (tookMs > this.patienceMs) {
      this.#usualMs = tookMs;
      this.#deviationMs = tookMs / 2;
      return;
    }
    this.#deviationMs += (Math.abs(this.#usualMs - tookMs) - this.#deviationMs) / 4;
    this.#usualMs += (tookMs - this.#usualMs) / 8;
  }

  /** A probe, or what was given up for lost and is sent again: its answer may come late. */
  remember(sending: Sending): void {
    this.#unanswered.push(sending);
    if (this.#unanswered.length > maxRemembered) this.#unanswered.shift();
  }

  /**
   * An answer to one of those: the round says to which, so that it can be measured (as with the timestamps of RFC 7323;
   * Karn would have to pass over it). A link slower than our patience would else never be measured, and be sent everything
   * again for ever.
   */
  answered(round: number, now: number): void {
    const sending = this.#unanswered.findLast((other) => other.round === round);
    if (sending === undefined) return;
    this.measured(now - sending.sentAt);
    this.#unanswered = [];
  }
}
