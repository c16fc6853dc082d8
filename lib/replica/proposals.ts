// Writes that began here and wait for one of their three endings (design §3): by the place of their entry once they have
// one, in a queue before. They survive a step-down: only what is committed at their place tells how they ended.
import type { Position, ReplicaId } from "../raft/mod.ts";
import type { Outcome } from "./api.ts";
import { type Deadlines, Timed } from "./deadlines.ts";
import type { RefusalReason } from "./peer-messages.ts";

export type WaiterState =
  /** In no log and on no link. */
  | { readonly type: "queued" }
  /** On its way to a leader that has not answered. */
  | {
    readonly type: "forwarded";
    readonly to: ReplicaId;
    readonly requestId: number;
    readonly sentAt: number;
  }
  /** Appended to a log at this place. */
  | { readonly type: "placed"; readonly position: Position }
  | { readonly type: "settled" };

const queued: WaiterState = { type: "queued" };
const settled: WaiterState = { type: "settled" };
const noBytes = new Uint8Array(0);

export class Waiter extends Timed {
  /** Let go as soon as somebody else keeps it. */
  command: Uint8Array;
  state: WaiterState = queued;
  readonly bytes: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly #expire: (waiter: Waiter) => void;

  constructor(
    command: Uint8Array,
    deadline: number,
    resolve: (outcome: Outcome) => void,
    expire: (waiter: Waiter) => void,
  ) {
    super(deadline);
    this.command = command;
    this.bytes = command.byteLength;
    this.resolve = resolve;
    this.#expire = expire;
  }

  override expired(): void {
    this.#expire(this);
  }
}

export type ProposalsOptions = {
  readonly deadlines: Deadlines;
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /** Whether a leader is known, for the words of a refusal. */
  readonly leaderKnown: () => boolean;
  /** A forwarded one is not waited for any more. */
  readonly forget: (requestId: number) => void;
  readonly onOutcome: (type: Outcome["type"]) => void;
};

export class Proposals {
  readonly #options: ProposalsOptions;
  readonly #queue = new Set<Waiter>();
  /** By index; several terms may claim one. */
  readonly #placed = new Map<number, Waiter[]>();
  readonly #forwarded = new Set<Waiter>();
  #count = 0;
  #bytes = 0;

  constructor(options: ProposalsOptions) {
    this.#options = options;
  }

  /** Writes without an ending yet, and the bytes of their commands. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** A waiter, to be routed by the caller; null = past the bounds. */
  admit(
    command: Uint8Array,
    deadline: number,
    resolve: (outcome: Outcome) => void,
  ): Waiter | null {
    const { maxProposals, maxProposalBytes, deadlines } = this.#options;
    if (this.#count >= maxProposals) return null;
    if (this.#count > 0 && this.#bytes + command.byteLength > maxProposalBytes) return null;
    const waiter = new Waiter(command, deadline, resolve, this.#expire);
    this.#count++;
    this.#bytes += waiter.bytes;
    deadlines.add(waiter);
    return waiter;
  }

  enqueue(waiter: Waiter): void {
    this.#forwarded.delete(waiter);
    waiter.state = queued;
    this.#queue.add(waiter);
  }

  /** Everything queued, in order, to be routed anew. */
  takeQueued(): readonly Waiter[] {
    if (this.#queue.size === 0) return [];
    const waiters = [...this.#queue];
    this.#queue.clear();
    return waiters;
  }

  forwarded(waiter: Waiter, to: ReplicaId, requestId: number, sentAt: number): void {
    waiter.state = { type: "forwarded", to, requestId, sentAt };
    this.#forwarded.add(waiter);
  }

  /** Its entry is in a log at `position`: the ending will be seen there. */
  place(waiter: Waiter, position: Position): void {
    this.#forwarded.delete(waiter);
    waiter.command = noBytes;
    waiter.state = { type: "placed", position };
    const others = this.#placed.get(position.index);
    if (others === undefined) this.#placed.set(position.index, [waiter]);
    else others.push(waiter);
  }

  /** The entry committed at `index` was applied here. */
  applied(index: number, term: number, result: Uint8Array): void {
    const waiters = this.#placed.get(index);
    if (waiters === undefined) return;
    this.#placed.delete(index);
    for (const waiter of waiters) {
      if (waiter.state.type !== "placed") continue;
      // Another term's entry is committed here, so this one's never can be.
      if (waiter.state.position.term === term) this.settle(waiter, { type: "done", index, term, result });
      else this.refuse(waiter, "no_leader");
    }
  }

  refuse(waiter: Waiter, reason: RefusalReason): void {
    this.settle(waiter, { type: "refused", reason });
  }

  settle(waiter: Waiter, outcome: Outcome): void {
    const { state } = waiter;
    if (state.type === "settled") return;
    waiter.state = settled;
    waiter.command = noBytes;
    this.#queue.delete(waiter);
    this.#forwarded.delete(waiter);
    if (state.type === "placed") this.#unplace(waiter, state.position.index);
    if (state.type === "forwarded") this.#options.forget(state.requestId);
    this.#options.deadlines.remove(waiter);
    this.#count--;
    this.#bytes -= waiter.bytes;
    this.#options.onOutcome(outcome.type);
    waiter.resolve(outcome);
  }

  /** The link to `to` is gone: whether it took what was on its way, nobody here knows. */
  linkLost(to: ReplicaId): void {
    for (const waiter of [...this.#forwarded]) {
      if (waiter.state.type === "forwarded" && waiter.state.to === to) this.#unknown(waiter, "link_lost");
    }
  }

  /** Another leads: an old leader that has not answered for so long will not. */
  leaderIs(leaderId: ReplicaId | null, sentBefore: number): void {
    for (const waiter of [...this.#forwarded]) {
      const { state } = waiter;
      if (state.type !== "forwarded" || state.to === leaderId || state.sentAt >= sentBefore) continue;
      this.#unknown(waiter, "link_lost");
    }
  }

  /** Ends everything: what was in no log is refused, the rest is unknown. */
  settleAll(): void {
    for (const waiter of this.takeQueued()) this.refuse(waiter, "stopping");
    for (const waiter of [...this.#forwarded]) this.#unknown(waiter, "stopping");
    for (const waiters of [...this.#placed.values()]) {
      for (const waiter of [...waiters]) this.#unknown(waiter, "stopping");
    }
  }

  #unknown(waiter: Waiter, reason: "deadline" | "link_lost" | "stopping"): void {
    this.settle(waiter, { type: "unknown", reason });
  }

  readonly #expire = (waiter: Waiter): void => {
    if (waiter.state.type !== "queued") this.#unknown(waiter, "deadline");
    else this.refuse(waiter, this.#options.leaderKnown() ? "deadline" : "no_leader");
  };

  #unplace(waiter: Waiter, index: number): void {
    const waiters = this.#placed.get(index);
    if (waiters === undefined) return;
    const others = waiters.filter((other) => other !== waiter);
    if (others.length === 0) this.#placed.delete(index);
    else this.#placed.set(index, others);
  }
}
