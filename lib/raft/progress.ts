// What a leader knows of one follower, and the bounded window of what is on its way to it (Raft figure 2 "nextIndex[],
// matchIndex[]"; pipelining: diss. §10.2.1).
import { RoundTrip, type Sending } from "./round-trip.ts";

/** One AppendEntries with entries that was not acknowledged yet. */
type Inflight = Sending & { readonly lastIndex: number; readonly bytes: number };

export class Progress {
  /** Highest index known to be durable there and equal to ours. Never falls within a term. */
  matchIndex = 0;
  /** Next index to send; > matchIndex. */
  nextIndex: number;
  /** probe: looking for where the logs agree, one message at a time; replicate: pipelining from there. */
  state: "probe" | "replicate" = "probe";
  /** When it was last heard from in this term; null = never. */
  lastContact: number | null = null;
  /** Latest round sent to it, and the latest that it echoed with the time that round had been sent. */
  sentRound = 0;
  ackedRound = 0;
  ackedSentAt = -Infinity;
  /** When the last message was sent to it. */
  sentAt = -Infinity;
  /** Share of the latest messages that were answered, 0 to 1: what a thrifty leader may count on. */
  answered = 1;
  /** Rejections of what it had acknowledged, without an acknowledgement since. */
  rejectedAtMatch = 0;
  /** The largest leaderCommit that it can have taken over from what was sent. */
  sentCommit = 0;
  /**
   * How long to wait for an acknowledgement before sending again: well longer than one usually takes, so that a follower
   * that is slow under load is not sent everything twice; doubles while nothing comes of it.
   */
  retransmitMs: number;

  /**
   * How many messages may be in flight, beside the bounds that the host sets. Behind a lost message all that follow it
   * are rejected and sent again: with each hole the window halves, with each message acknowledged it grows by one, so that
   * links that lose or reorder cost little and sound ones are not slowed (as TCP's congestion window, RFC 5681).
   */
  window = Infinity;

  readonly #minRetransmitMs: number;
  readonly #roundTrip = new RoundTrip();
  /** In probe: when the outstanding probe was sent; null = none is out. */
  #probeSentAt: number | null = null;
  #inflight: Inflight[] = [];
  #inflightBytes = 0;

  constructor(nextIndex: number, retransmitMs: number) {
    this.nextIndex = nextIndex;
    this.retransmitMs = retransmitMs;
    this.#minRetransmitMs = retransmitMs;
  }

  /** It goes on rejecting what it had acknowledged in this term: its disk has lost it. A late duplicate or two proves nothing. */
  get hasForgotten(): boolean {
    return this.rejectedAtMatch >= 3;
  }

  get usualMs(): number {
    return this.#roundTrip.usualMs;
  }

  get probeIsOut(): boolean {
    return this.#probeSentAt !== null;
  }

  get inflightMessages(): number {
    return this.#inflight.length;
  }

  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** Entries up to lastIndex are on their way. */
  sent(lastIndex: number, bytes: number, sending: Sending): void {
    this.#inflight.push({ lastIndex, bytes, ...sending });
    this.#inflightBytes += bytes;
    this.nextIndex = lastIndex + 1;
  }

  /** The one message of this state is on its way. */
  probed(sending: Sending): void {
    this.#probeSentAt = sending.sentAt;
    this.#roundTrip.remember(sending);
  }

  /** The follower holds everything up to `matchIndex`, in an answer that echoes `round`. Returns whether that was news. */
  acknowledged(matchIndex: number, round: number, now: number): boolean {
    this.rejectedAtMatch = 0;
    const news = matchIndex > this.matchIndex;
    if (news) this.matchIndex = matchIndex;
    let arrived = 0;
    let last: Inflight | null = null;
    while (arrived < this.#inflight.length && this.#inflight[arrived]!.lastIndex <= this.matchIndex) {
      last = this.#inflight[arrived]!;
      this.#inflightBytes -= last.bytes;
      arrived++;
    }
    if (last !== null) {
      // An answer to an earlier round is one to what was given up and sent again since.
      if (round >= last.round) this.#roundTrip.measured(now - last.sentAt);
      this.#inflight = this.#inflight.slice(arrived);
      this.window += arrived;
    } else if (news) this.#roundTrip.answered(round, now);
    if (news) this.retransmitMs = Math.max(this.#minRetransmitMs, this.#roundTrip.patienceMs);
    if (this.nextIndex <= this.matchIndex) this.nextIndex = this.matchIndex + 1;
    return news;
  }

  /** One more message that may be answered, or an answer to one: an average over about the last twenty. */
  noteSent(now: number): void {
    this.sentAt = now;
    this.answered *= 0.95;
  }

  noteAnswered(): void {
    this.answered = Math.min(1, this.answered + 0.05);
  }

  /** Falls back to one message at a time from `nextIndex`; what was in flight no longer counts. */
  becomeProbe(nextIndex: number): void {
    if (this.state === "replicate") {
      if (this.#inflight[0] !== undefined) this.#roundTrip.remember(this.#inflight[0]);
      this.window = Math.max(1, Math.floor(Math.min(this.window, this.#inflight.length) / 2));
    }
    this.state = "probe";
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
    this.#probeSentAt = null;
    this.#inflight = [];
    this.#inflightBytes = 0;
  }

  becomeReplicate(): void {
    this.state = "replicate";
    this.#probeSentAt = null;
    this.nextIndex = this.matchIndex + 1;
    this.#inflight = [];
    this.#inflightBytes = 0;
  }

  /** Whether what was sent has gone unanswered for too long; then the next wait is twice as long, up to `maxMs`. */
  isOverdue(now: number, maxMs: number): boolean {
    const since = this.state === "probe" ? this.#probeSentAt : this.#inflight[0]?.sentAt ?? null;
    if (since === null || now - since < Math.min(this.retransmitMs, maxMs)) return false;
    this.retransmitMs = Math.min(this.retransmitMs * 2, maxMs);
    return true;
  }
}
