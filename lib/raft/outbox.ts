// Gathers what is owed into a numbered Ready, and decides what may overtake the fsync (diss. §10.2.1).
import type { Entry } from "./entry.ts";
import type { Message } from "./messages.ts";
import type { HardState, Ready, SoftState } from "./ready.ts";
import { pump } from "./replication.ts";
import type { RaftState } from "./state.ts";

export class Outbox {
  readonly #raft: RaftState;
  #number = 0;
  #softState: SoftState;

  constructor(raft: RaftState) {
    this.#raft = raft;
    this.#softState = { role: raft.role, currentTerm: raft.currentTerm, leaderId: raft.leaderId };
  }

  take(): Ready | null {
    const raft = this.#raft;
    if (raft.leadership !== null) pump(raft);
    const hardState = this.#takeHardState();
    const number = this.#number + 1;
    const entries = raft.log.takeUnpersisted(number);
    const committed = this.#takeCommitted();
    raft.configurations.forgetBefore(raft.lastApplied);
    const configurations = raft.configurations.takeChange();
    const softState = this.#takeSoftState();
    const { messages, readStates: reads } = raft;
    const persists = hardState !== null || entries.length > 0 || configurations !== null;
    const owed = persists || committed.length > 0 || messages.length > 0 || reads.length > 0 ||
      softState !== null;
    if (!owed) return null;

    raft.messages = [];
    raft.readStates = [];
    this.#number = number;
    // Before this Ready joins the outstanding ones: its own term may be the one that is not durable yet.
    const [overtaking, waiting] = this.#split(messages);
    if (persists) raft.outstanding.push({ number, at: raft.now, term: raft.currentTerm });
    return {
      number,
      hardState,
      entries,
      configurations,
      messages: overtaking,
      messagesAfterPersist: waiting,
      committed,
      reads,
      softState,
    };
  }

  /** What may overtake the fsync, and what has to wait for it. */
  #split(messages: readonly Message[]): [overtaking: readonly Message[], waiting: readonly Message[]] {
    const { currentTerm, durableTerm } = this.#raft;
    if (messages.length === 0) return [messages, messages];
    const overtaking: Message[] = [];
    const waiting: Message[] = [];
    for (const message of messages) {
      const overtakes = message.type === "AppendEntries" && durableTerm === currentTerm &&
        message.term === currentTerm;
      (overtakes ? overtaking : waiting).push(message);
    }
    return [overtaking, waiting];
  }

  /** Everything up to Ready `number` is durable. */
  persisted(number: number): void {
    const raft = this.#raft;
    while (raft.outstanding[0] !== undefined && raft.outstanding[0].number <= number) {
      raft.durableTerm = Math.max(raft.durableTerm, raft.outstanding[0].term);
      raft.outstanding.shift();
    }
  }

  #takeHardState(): HardState | null {
    const raft = this.#raft;
    const { currentTerm, votedFor, withholdMs, handed } = raft;
    const unchanged = currentTerm === handed.currentTerm && votedFor === handed.votedFor &&
      withholdMs === handed.withholdMs;
    if (unchanged) return null;
    raft.handed = { currentTerm, votedFor, withholdMs };
    return raft.handed;
  }

  /** Never past what is durable in one's own log. */
  #takeCommitted(): readonly Entry[] {
    const raft = this.#raft;
    const to = Math.min(raft.commitIndex, raft.log.durableIndex);
    if (to <= raft.lastApplied) return [];
    const entries = raft.log.entries(raft.lastApplied + 1, to, raft.options.maxCommittedBytes);
    raft.lastApplied += entries.length;
    raft.log.trim(raft.lastApplied);
    return entries;
  }

  #takeSoftState(): SoftState | null {
    const { role, currentTerm, leaderId } = this.#raft;
    const before = this.#softState;
    if (role === before.role && currentTerm === before.currentTerm && leaderId === before.leaderId) {
      return null;
    }
    this.#softState = { role, currentTerm, leaderId };
    return this.#softState;
  }
}
