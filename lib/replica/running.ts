// A replica that takes part: the core and everything around it that needs a formed cluster. It routes writes to the core or
// to the leader, reads to a confirmed index, and messages to whom they concern.
import {
  firstConfiguration,
  type Position,
  Raft,
  type RaftStatus,
  type Ready,
  type ReplicaId,
  type Result,
  type SoftState,
} from "../raft/mod.ts";
import type { Consistency } from "./api.ts";
import type { Applier } from "./applied.ts";
import type { Deadlines } from "./deadlines.ts";
import { Drain } from "./drain.ts";
import { answerForward, Forwarding } from "./forward.ts";
import { Lease } from "./lease.ts";
import type { ReplicaLimits, ReplicaOptions } from "./options.ts";
import type { PeerMessage, RefusalReason } from "./peer-messages.ts";
import type { Proposals, Waiter } from "./proposals.ts";
import { type ReadEnding, Reads } from "./reads.ts";
import type { Space } from "./space.ts";

export type RunningOptions = {
  readonly options: ReplicaOptions<never, unknown>;
  readonly limits: ReplicaLimits;
  readonly applier: Applier;
  readonly proposals: Proposals;
  readonly deadlines: Deadlines;
  readonly now: () => number;
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
  /** Why this node does not take a write just now; null = it does. */
  readonly refusal: (command: Uint8Array) => RefusalReason | null;
  readonly space: Space;
};

/** `committed` of one Ready: small, so that a node with much to apply goes on answering. */
const maxCommittedBytes = 256 * 1024;

export class Running {
  readonly #given: RunningOptions;
  readonly #raft: Raft;
  readonly #drain: Drain;
  readonly #reads: Reads;
  readonly #forwarding: Forwarding;
  readonly #lease: Lease;
  readonly #self: ReplicaId;
  #softState: SoftState;
  #reconsideredAt = -Infinity;
  /** Whose loss was told of in this leadership. */
  #toldOf: readonly ReplicaId[] = [];
  /** While this node leads and something waits to be committed: since when commitIndex has stood still. */
  #standstill: { readonly commitIndex: number; readonly since: number } | null = null;

  constructor(given: RunningOptions) {
    const { options, limits, applier, proposals, deadlines, now, guard, fail } = given;
    const { links, durableLog, clock, scheduler, metrics } = options;
    this.#given = given;
    this.#self = options.identity.replica;
    this.#raft = makeRaft(given);
    options.onCore?.(this.#raft);
    this.#softState = { role: "follower", currentTerm: this.#raft.status().currentTerm, leaderId: null };
    this.#lease = new Lease(clock, options.electionMs);
    this.#forwarding = new Forwarding({
      links,
      proposals,
      now,
      appliedIndex: () => applier.index,
      appliedTermAt: (index) => this.#raft.termAt(index),
    });
    this.#reads = new Reads({
      deadlines,
      links,
      maxReads: limits.maxReads,
      heartbeatMs: options.heartbeatMs,
      now,
      leaseHolds: () => this.leaseHolds(),
      leaderKnown: () => this.leaderId !== null,
    });
    this.#drain = new Drain({
      raft: this.#raft,
      durableLog,
      links,
      applier,
      scheduler,
      now,
      guard,
      fail,
      applyMs: limits.applyMs,
      maxOutstanding: limits.maxOutstanding,
      before: () => this.#reads.flush(this.#raft, this.leaderId, this.#self),
      written: () => given.space.written(),
      heard: (ready) => this.#heard(ready),
      after: () => this.#afterDrain(),
      onFsync: (seconds) => metrics?.onFsync?.(seconds),
      onApplied: (entries) => metrics?.onApplied?.(entries),
    });
    this.#drain.schedule();
  }

  get leaderId(): ReplicaId | null {
    return this.#softState.leaderId;
  }

  get leads(): boolean {
    return this.#softState.role === "leader";
  }

  get pendingReads(): number {
    return this.#reads.count;
  }

  status(): RaftStatus {
    return this.#raft.status();
  }

  tick(): void {
    const now = this.#given.now();
    this.#lease.look();
    this.#raft.step({ type: "tick", now });
    this.#watchCommits(now);
    this.#drain.schedule();
    const { heartbeatMs, electionMs } = this.#given.options;
    if (now - this.#reconsideredAt < heartbeatMs) return;
    this.#reconsideredAt = now;
    this.#given.proposals.leaderIs(this.leaderId, now - electionMs);
    this.#reads.reconsider(this.leaderId);
    this.#routeQueued();
    if (this.leads) this.#tellOfLoss();
  }

  receive(from: ReplicaId, message: PeerMessage): void {
    switch (message.type) {
      case "Forward": {
        const reply = answerForward(message, this.#given.refusal, (command) => this.#propose(command));
        const { links } = this.#given.options;
        // On the link of the entries, so that it comes before its entry; lost, the follower's deadline ends it.
        if (!links.send(from, reply, "bulk")) links.send(from, reply, "control");
        break;
      }
      case "ForwardReply":
        this.#forwarding.reply(from, message);
        break;
      case "ReadIndex":
        this.#reads.request(from, message.requestId);
        break;
      case "ReadIndexReply":
        this.#reads.reply(from, message);
        break;
      case "Formation":
      case "Gossip":
      case "Membership":
        return;
      default:
        // Only the replica at the other end speaks for itself.
        if (message.from !== from) return;
        this.#raft.step({
          type: "message",
          now: this.#given.now(),
          message: message.type === "AppendEntries"
            ? this.#given.space.affordable(message, this.#raft)
            : message,
        });
    }
    this.#drain.schedule();
  }

  linkLost(peer: ReplicaId): void {
    this.#given.proposals.linkLost(peer);
  }

  /** Forwards nobody waits for. */
  forget(requestId: number): void {
    this.#forwarding.forget(requestId);
  }

  /** Called for every entry applied. */
  applied(index: number, term: number, result: Uint8Array): void {
    this.#forwarding.applied(index, term, result);
  }

  /** To the core if it leads, else to the leader, else it waits for one. */
  route(waiter: Waiter): void {
    const { proposals } = this.#given;
    const proposed = this.#propose(waiter.command);
    if (proposed.ok) {
      proposals.place(waiter, proposed.value);
      this.#drain.schedule();
    } else if (proposed.reason === "overloaded") {
      proposals.refuse(waiter, "overloaded");
    } else {
      const { leaderId } = this;
      const elsewhere = proposed.reason === "not_leader" && leaderId !== null && leaderId !== this.#self;
      if (!elsewhere || !this.#forwarding.send(waiter, leaderId)) proposals.enqueue(waiter);
    }
  }

  /** Waits until the local state may be shown; false = too many wait already. */
  read(
    consistency: Exclude<Consistency["type"], "stale">,
    deadline: number,
    resolve: (ending: ReadEnding) => void,
  ): boolean {
    if (consistency === "lease" && this.leaseHolds()) {
      // What the core knows to be committed may have been answered elsewhere, even if it is not applied here yet.
      const { commitIndex } = this.#raft;
      if (commitIndex > this.#given.applier.index) return this.#reads.waitFor(commitIndex, deadline, resolve);
      resolve({ ok: true });
      return true;
    }
    const asked = this.#reads.ask(deadline, resolve);
    this.#drain.schedule();
    return asked;
  }

  leaseHolds(): boolean {
    const leaseUntil = this.#raft.leaseUntil();
    return leaseUntil > -Infinity && this.#lease.holds(leaseUntil);
  }

  /** Upper bound of how old the local state is, ms; null = not known. */
  stalenessMs(): number | null {
    const freshAsOf = this.#raft.freshAsOf();
    if (freshAsOf === -Infinity || !this.#lease.countedSince(freshAsOf)) return null;
    return Math.max(0, this.#given.now() - freshAsOf);
  }

  /** Whether a linearizable read would be served, as far as can be told without asking. */
  ready(): boolean {
    if (this.leads) return this.leaseHolds();
    const staleness = this.stalenessMs();
    return this.leaderId !== null && staleness !== null && staleness < 2 * this.#given.options.electionMs;
  }

  transfer(to: ReplicaId | null): Result<ReplicaId> {
    const transferred = this.#raft.transfer(to);
    this.#drain.schedule();
    return transferred;
  }

  /** The term of an entry of the log; it exists. */
  termAt(index: number): number {
    return this.#raft.termAt(index);
  }

  changeConfiguration(voters: readonly ReplicaId[], learners: readonly ReplicaId[]): Result<Position> {
    const proposed = this.#raft.propose({ type: "configuration", voters, learners });
    this.#drain.schedule();
    return proposed;
  }

  refuseReads(reason: RefusalReason): void {
    this.#reads.settleAll(reason);
  }

  /** In a standstill nothing more is appended: it could only wait, and its ending would be unknown. */
  #propose(command: Uint8Array): ReturnType<Raft["propose"]> {
    const { commitIndex, since } = this.#standstill ?? { commitIndex: -1, since: 0 };
    const patienceMs = 2 * this.#given.options.electionMs;
    if (commitIndex === this.#raft.commitIndex && this.#given.now() - since >= patienceMs) {
      return { ok: false, reason: "overloaded" };
    }
    return this.#raft.propose({ type: "command", data: command });
  }

  /** Followers that answer and take nothing, because their disks are full, leave a leader in office. */
  #watchCommits(now: number): void {
    const { commitIndex } = this.#raft;
    if (!this.leads || this.#raft.lastIndex === commitIndex) this.#standstill = null;
    else if (this.#standstill?.commitIndex !== commitIndex) this.#standstill = { commitIndex, since: now };
  }

  #heard({ softState, reads }: Ready): void {
    for (const read of reads) this.#reads.confirmed(read);
    if (softState === null) return;
    const { leaderId, role, currentTerm } = softState;
    if (leaderId !== this.leaderId || role !== this.#softState.role) {
      this.#given.options.log("info", `${role} in term ${currentTerm}, leader ${leaderId ?? "not known"}`);
    }
    this.#softState = softState;
    if (this.#reads.reconsider(leaderId)) this.#drain.schedule();
    if (leaderId !== null) this.#routeQueued();
  }

  #afterDrain(): void {
    // A lease that did not hold any more: its reads need a round. Where that cannot be asked for just now (the disk stands
    // still, the leader has stepped down), the next tick tries again: trying at once would be trying without end.
    if (this.#reads.applied(this.#given.applier.index)) this.#drain.schedule();
  }

  #tellOfLoss(): void {
    const forgetful = this.#raft.status().peers.filter((peer) => peer.hasForgotten).map((peer) => peer.id);
    for (const id of forgetful) {
      if (this.#toldOf.includes(id)) continue;
      const what =
        "has lost entries that it had acknowledged: its disk or data folder was set back. It takes part again " +
        "only as a new incarnation: stop it, set its data folder aside, start it with --join";
      this.#given.options.log("error", `${id} ${what}`);
    }
    this.#toldOf = forgetful;
  }

  #routeQueued(): void {
    for (const waiter of this.#given.proposals.takeQueued()) this.route(waiter);
  }
}

function makeRaft({ options, applier, now, fail }: RunningOptions): Raft {
  const { identity, durableLog, random, heartbeatMs, electionMs } = options;
  const restored = durableLog.restored();
  const configurations = restored.configurations.length > 0
    ? restored.configurations
    : [{ index: 0, configuration: firstConfiguration(identity.node.record ?? []) }];
  return new Raft({
    maxCommittedBytes,
    ...options.raft,
    id: identity.replica,
    restored: { ...restored, configurations, lastApplied: applier.index },
    log: durableLog,
    random,
    fatal: fail,
    heartbeatMs,
    electionMs,
    now: now(),
  });
}
