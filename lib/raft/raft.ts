// The consensus core (Raft, Ongaro & Ousterhout 2014; Ongaro's dissertation). Pull style: events go in through step(),
// propose() and read(); what is owed comes out of ready(). The same inputs give the same outputs, always.
//
//   tick ─┐                                            ┌─ hardState, entries   → disk → persisted
//   message ─┤ step ─→ election · follower · replication ─→ ready ├─ messages, messagesAfterPersist → links
//   persisted ─┘          commit · read · membership   └─ committed, reads     → state machine
import { handleRequestVote, handleRequestVoteReply, maybeCampaign } from "./election.ts";
import type { Position } from "./entry.ts";
import { handleAppendEntries } from "./follower.ts";
import { keepLeadership, leaseUntil } from "./lease.ts";
import { proposeConfiguration } from "./membership.ts";
import type { Message } from "./messages.ts";
import type { Event, Proposal, RaftOptions, RaftStatus, Ready, Result } from "./ready.ts";
import type { ReplicaId } from "./identity.ts";
import { advanceCommit } from "./commit.ts";
import { Outbox } from "./outbox.ts";
import { handleAppendEntriesReply, retransmit } from "./replication.ts";
import { appendEntry, resetElectionTimer } from "./roles.ts";
import { settleFreshness } from "./staleness.ts";
import { RaftState } from "./state.ts";
import { statusOf } from "./status.ts";
import { expireTransfer, handleTimeoutNow, transferLeadership } from "./transfer.ts";

/**
 * Nobody else can lead a group of one, so that nobody's lease can be hurt; but only where the configuration is known to
 * be committed: until then a leader outside it may still lead, and its lease rests on this very voter (diss. §4.2.2).
 */
function isAloneForCertain(raft: RaftState): boolean {
  const { index, configuration: { voters, outgoing } } = raft.configurations.latest;
  return index <= raft.lastApplied && outgoing.length === 0 && voters.length === 1 && voters[0] === raft.id;
}

export class Raft {
  readonly #state: RaftState;
  readonly #outbox: Outbox;
  /** As of the last call that may have changed something; null = to be made. */
  #status: RaftStatus | null = null;

  constructor(options: RaftOptions) {
    const raft: RaftState = new RaftState(options);
    const { restored } = options;
    raft.check(restored.configurations.length > 0, "a core needs a first configuration");
    raft.check(restored.lastApplied <= restored.last.index, "the state is ahead of the log");
    resetElectionTimer(raft, restored.hardState.currentTerm === 0 ? "short" : "long");
    if (isAloneForCertain(raft)) {
      raft.electionTimeout = 0;
      raft.lastLeaderContact = -Infinity;
    }
    this.#state = raft;
    this.#outbox = new Outbox(raft);
  }

  /** Takes in one event. What follows from it comes out of {@link ready}. */
  step(event: Event): void {
    const raft: RaftState = this.#changing();
    raft.check(event.now >= raft.now, () => `the host's clock went back from ${raft.now} to ${event.now}`);
    raft.now = event.now;
    if (event.type === "message") this.#receive(event.message);
    else if (event.type === "tick") this.#tick();
    else {
      this.#outbox.persisted(event.number);
      raft.log.persisted(event.number, event.last);
      if (raft.leadership !== null) advanceCommit(raft);
    }
  }

  /** Appends to the leader's log, in memory; the entry is committed, or lost, later. */
  propose(proposal: Proposal): Result<Position> {
    const raft: RaftState = this.#changing();
    if (raft.leadership === null) return { ok: false, reason: "not_leader" };
    if (raft.leading.transfer !== null) return { ok: false, reason: "transferring" };
    if (proposal.type === "configuration") {
      return proposeConfiguration(raft, proposal.voters, proposal.learners);
    }
    if (raft.leading.uncommittedBytes >= raft.options.maxUncommittedBytes) {
      return { ok: false, reason: "overloaded" };
    }
    const index = appendEntry(raft, "command", proposal.data);
    return { ok: true, value: { index, term: raft.currentTerm } };
  }

  /** Asks for a read index on the leader; it comes back in `reads` under `id`, which is never used again. */
  read(id: number): Result<void> {
    if (this.#state.leadership === null) return { ok: false, reason: "not_leader" };
    this.#state.leading.newReads.push(id);
    return { ok: true, value: undefined };
  }

  /** Begins to hand leadership over, to the furthest voter when `to` is null; given up after electionMs. */
  transfer(to: ReplicaId | null): Result<ReplicaId> {
    return transferLeadership(this.#changing(), to);
  }

  /** What is owed since the last call; null = nothing. */
  ready(): Ready | null {
    const raft: RaftState = this.#changing();
    const ready = this.#outbox.take();
    settleFreshness(raft);
    return ready;
  }

  /** Until when (host's monotonic ms) a lease read is safe, if the host's clocks are; −Infinity = not at all. */
  leaseUntil(): number {
    return leaseUntil(this.#state);
  }

  /** The time (host's monotonic ms) such that whatever completed anywhere before it is applied here; −Infinity = unknown. */
  freshAsOf(): number {
    settleFreshness(this.#state);
    return this.#state.freshAsOf;
  }

  get commitIndex(): number {
    return this.#state.commitIndex;
  }

  /** The term of an entry of the log; it exists. For invariants and for telling whose entry stands at an index. */
  termAt(index: number): number {
    return this.#state.log.term(index);
  }

  /** The last index of the log, durable or not. */
  get lastIndex(): number {
    return this.#state.log.lastIndex;
  }

  /** The same object as before as long as nothing was asked of the core. */
  status(): RaftStatus {
    return this.#status ??= statusOf(this.#state);
  }

  #changing(): RaftState {
    this.#status = null;
    return this.#state;
  }

  #tick(): void {
    const raft: RaftState = this.#state;
    if (raft.leadership === null) {
      maybeCampaign(raft);
      return;
    }
    expireTransfer(raft);
    keepLeadership(raft);
    if (raft.leadership !== null) retransmit(raft);
  }

  #receive(message: Message): void {
    const raft: RaftState = this.#state;
    if (message.to !== raft.id || message.from === raft.id) return;
    if (message.type === "AppendEntries") handleAppendEntries(raft, message);
    else if (message.type === "AppendEntriesReply") handleAppendEntriesReply(raft, message);
    else if (message.type === "RequestVote") handleRequestVote(raft, message);
    else if (message.type === "RequestVoteReply") handleRequestVoteReply(raft, message);
    else handleTimeoutNow(raft, message);
  }
}
