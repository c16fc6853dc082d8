// What a follower has asked its leader for: reads that wait for an index, under one or more ids. No id is used twice, so
// that each answer says to which asking it is one; and any answer will do for the reads that had arrived by then. Over a
// link that is slower than our patience the answer to the first comes when it has been asked for again.
import type { ReplicaId } from "../raft/mod.ts";

/** No wait is longer than so many heartbeats: what was slow or lost once may be neither by now. */
const maxHeartbeats = 20;

/** Of the reads that wait, the first so many were there when this id was sent. */
type Asking = { readonly id: number; readonly covers: number; readonly at: number };

export class AskedLeader<Read extends { readonly settled: boolean }> {
  readonly #heartbeatMs: number;
  #to: ReplicaId | null = null;
  /** In the order in which they arrived. */
  #reads: readonly Read[] = [];
  #askings: readonly Asking[] = [];
  /** How long an answer may take: at least a heartbeat, twice what the last one took; it doubles while nothing comes. */
  #patienceMs: number;
  #waitMs: number;

  constructor(heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
    this.#patienceMs = heartbeatMs;
    this.#waitMs = heartbeatMs;
  }

  get reads(): readonly Read[] {
    return this.#reads;
  }

  /** Nothing is on its way, or for so long that it counts as lost. */
  mayAsk(now: number): boolean {
    const last = this.#askings.at(-1);
    return last === undefined || now - last.at >= this.#waitMs;
  }

  /** `more` reads are asked for together with those that wait already, under a new id. */
  asked(to: ReplicaId, id: number, more: readonly Read[], now: number): void {
    this.#waitMs = this.#askings.length === 0 ? this.#patienceMs : this.#bounded(this.#waitMs * 2);
    this.#to = to;
    this.#reads = [...this.#reads, ...more];
    this.#askings = [...this.#askings, { id, covers: this.#reads.length, at: now }];
  }

  /** The reads that this answer is one for, no longer waited for; none when it is none to what is out. */
  answered(from: ReplicaId, id: number, now: number): readonly Read[] {
    const asking = this.#askings.find((other) => other.id === id);
    if (asking === undefined || from !== this.#to) return [];
    const { covers } = asking;
    const answered = this.#reads.slice(0, covers);
    this.#patienceMs = this.#bounded(2 * (now - asking.at));
    this.#keep(this.#reads.slice(covers), (other) => other - covers);
    return answered;
  }

  /** Lets go of what has ended by itself. */
  prune(): void {
    const waits = ({ settled }: Read) => !settled;
    if (this.#reads.every(waits)) return;
    this.#keep(this.#reads.filter(waits), (covers) => this.#reads.slice(0, covers).filter(waits).length);
  }

  /** All that wait, to be asked of somebody else; answers to what is out are none any more. */
  takeBackUnlessAskedOf(leader: ReplicaId | null): readonly Read[] {
    if (this.#askings.length === 0 || this.#to === leader) return [];
    return this.takeBack();
  }

  takeBack(): readonly Read[] {
    const reads = this.#reads;
    this.#reads = [];
    this.#askings = [];
    return reads;
  }

  #bounded(ms: number): number {
    return Math.min(Math.max(ms, this.#heartbeatMs), maxHeartbeats * this.#heartbeatMs);
  }

  /** Of the reads, these are left: of those that an asking covered, so many. One that covers none any more is over. */
  #keep(reads: readonly Read[], left: (covers: number) => number): void {
    this.#askings = this.#askings
      .map((asking) => ({ ...asking, covers: left(asking.covers) }))
      .filter(({ covers }) => covers > 0);
    this.#reads = reads;
  }
}
