// Reads that wait until the local state may be shown (design §3, diss. §6.4): first for an index that was confirmed after
// they arrived, by the core on a leader, by one ReadIndex a drain on a follower; then until that much is applied here.
import type { Raft, ReadState, ReplicaId } from "../raft/mod.ts";
import { AskedLeader } from "./asked-leader.ts";
import { type Deadlines, Timed } from "./deadlines.ts";
import type { ReadIndexReply, RefusalReason } from "./peer-messages.ts";
import type { Links } from "./ports.ts";

export type ReadEnding = { readonly ok: true } | { readonly ok: false; readonly reason: RefusalReason };

export class ReadWaiter extends Timed {
  /** Must be applied before it may be answered; known once confirmed. */
  index = 0;
  /** Rests on the lease, which is looked at again when it is answered; false once a round has confirmed it. */
  lease: boolean;
  settled = false;
  readonly resolve: (ending: ReadEnding) => void;
  readonly #expire: (read: ReadWaiter) => void;

  constructor(
    deadline: number,
    lease: boolean,
    resolve: (ending: ReadEnding) => void,
    expire: (read: ReadWaiter) => void,
  ) {
    super(deadline);
    this.lease = lease;
    this.resolve = resolve;
    this.#expire = expire;
  }

  override expired(): void {
    this.#expire(this);
  }
}

/** What one read id asks for: reads of our own, and followers' requests. */
type Asked = { readonly reads: readonly ReadWaiter[]; readonly requests: readonly Request[] };
type Request = { readonly from: ReplicaId; readonly requestId: number };

export type ReadsOptions = {
  readonly deadlines: Deadlines;
  readonly links: Links;
  readonly maxReads: number;
  readonly heartbeatMs: number;
  readonly now: () => number;
  readonly leaseHolds: () => boolean;
  readonly leaderKnown: () => boolean;
};

export class Reads {
  readonly #options: ReadsOptions;
  #unasked: ReadWaiter[] = [];
  #requests: Request[] = [];
  /** One counter for both: an id is never used again, whoever was asked. */
  #lastId = 0;
  readonly #asked = new Map<number, Asked>();
  readonly #askedLeader: AskedLeader<ReadWaiter>;
  #confirmed: ReadWaiter[] = [];
  #count = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#askedLeader = new AskedLeader(options.heartbeatMs);
  }

  get count(): number {
    return this.#count;
  }

  /** A read that needs a confirmed index. False: past the bound. */
  ask(deadline: number, resolve: (ending: ReadEnding) => void): boolean {
    const read = this.#admit(deadline, false, resolve);
    if (read !== null) this.#unasked.push(read);
    return read !== null;
  }

  /** A read on the leader's lease that still waits for `index` to be applied. False: past the bound. */
  waitFor(index: number, deadline: number, resolve: (ending: ReadEnding) => void): boolean {
    const read = this.#admit(deadline, true, resolve);
    if (read !== null) {
      read.index = index;
      this.#confirmed.push(read);
    }
    return read !== null;
  }

  /** A follower's ReadIndex; answered by the next confirmed round. */
  request(from: ReplicaId, requestId: number): void {
    if (this.#requests.length < this.#options.maxReads) this.#requests.push({ from, requestId });
  }

  /** Asks for everything that waits, once: the core if this node leads, else the leader. */
  flush(raft: Raft, leaderId: ReplicaId | null, self: ReplicaId): void {
    if (this.#unasked.length === 0 && this.#requests.length === 0 && !this.#isOverdue()) return;
    const id = this.#lastId + 1;
    if (raft.read(id).ok) {
      this.#lastId = id;
      this.#asked.set(id, { reads: this.#unasked, requests: this.#requests });
      this.#unasked = [];
      this.#requests = [];
      return;
    }
    for (const request of this.#requests) this.#answer(request, null);
    this.#requests = [];
    if (leaderId !== null && leaderId !== self) this.#askLeader(leaderId);
  }

  /** The core's answer. */
  confirmed({ id, index }: ReadState): void {
    const asked = this.#asked.get(id);
    if (asked === undefined) return;
    this.#asked.delete(id);
    for (const request of asked.requests) this.#answer(request, index);
    this.#confirm(asked.reads, index);
  }

  /** The leader's answer; null = it leads no more, and the next one is asked in time. */
  reply(from: ReplicaId, { requestId, index }: ReadIndexReply): void {
    if (index === null) return;
    this.#confirm(this.#askedLeader.answered(from, requestId, this.#options.now()), index);
  }

  /** Takes back what was asked of another leader. True: there is something to ask for, also what had no answer in time. */
  reconsider(leaderId: ReplicaId | null): boolean {
    this.#takeBack(this.#askedLeader.takeBackUnlessAskedOf(leaderId));
    this.#askedLeader.prune();
    // Those whose deadline passed are let go here: without a leader nobody else looks at the lists.
    this.#unasked = this.#unasked.filter((read) => !read.settled);
    this.#confirmed = this.#confirmed.filter((read) => !read.settled);
    return this.#unasked.length > 0 || this.#isOverdue();
  }

  /** Lets go every read whose index is applied. Called when nothing more is applied in this turn. True: some must ask again. */
  applied(appliedIndex: number): boolean {
    if (this.#confirmed.length === 0) return false;
    const waiting: ReadWaiter[] = [];
    const before = this.#unasked.length;
    for (const read of this.#confirmed) {
      if (read.settled) continue;
      if (read.index > appliedIndex) waiting.push(read);
      else if (read.lease && !this.#options.leaseHolds()) this.#unasked.push(read);
      else this.#settle(read, { ok: true });
    }
    this.#confirmed = waiting;
    return this.#unasked.length > before;
  }

  settleAll(reason: RefusalReason): void {
    const all = [
      this.#unasked,
      this.#confirmed,
      this.#askedLeader.takeBack(),
      ...[...this.#asked.values()].map((asked) => asked.reads),
    ];
    this.#unasked = [];
    this.#confirmed = [];
    this.#asked.clear();
    for (const read of all.flat()) this.#settle(read, { ok: false, reason });
  }

  #admit(deadline: number, lease: boolean, resolve: (ending: ReadEnding) => void): ReadWaiter | null {
    if (this.#count >= this.#options.maxReads) return null;
    const read = new ReadWaiter(deadline, lease, resolve, this.#expire);
    this.#options.deadlines.add(read);
    this.#count++;
    return read;
  }

  #askLeader(leader: ReplicaId): void {
    const { links, now } = this.#options;
    this.#unasked = this.#unasked.filter((read) => !read.settled);
    // While one is on its way, what arrives gathers for the next: fewer messages, and the answer is a round trip away.
    if (this.#unasked.length + this.#askedLeader.reads.length === 0 || !this.#askedLeader.mayAsk(now())) {
      return;
    }
    const requestId = ++this.#lastId;
    if (!links.send(leader, { type: "ReadIndex", requestId }, "control")) return;
    this.#askedLeader.asked(leader, requestId, this.#unasked, now());
    this.#unasked = [];
  }

  #isOverdue(): boolean {
    return this.#askedLeader.reads.length > 0 && this.#askedLeader.mayAsk(this.#options.now());
  }

  #confirm(reads: readonly ReadWaiter[], index: number | null): void {
    if (index === null) return this.#takeBack(reads);
    for (const read of reads) {
      if (read.settled) continue;
      read.index = index;
      read.lease = false;
      this.#confirmed.push(read);
    }
  }

  #takeBack(reads: readonly ReadWaiter[]): void {
    for (const read of reads) if (!read.settled) this.#unasked.push(read);
  }

  #answer({ from, requestId }: Request, index: number | null): void {
    // A lost answer is asked for again.
    this.#options.links.send(from, { type: "ReadIndexReply", requestId, index }, "control");
  }

  #settle(read: ReadWaiter, ending: ReadEnding): void {
    if (read.settled) return;
    read.settled = true;
    this.#count--;
    this.#options.deadlines.remove(read);
    read.resolve(ending);
  }

  readonly #expire = (read: ReadWaiter): void => {
    this.#settle(read, { ok: false, reason: this.#options.leaderKnown() ? "deadline" : "no_leader" });
  };
}
