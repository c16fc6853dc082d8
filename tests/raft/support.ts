// Cores for tests of single sentences: one core with its disk, messages put in by hand, everything it owes looked at.
import {
  type Entry,
  type EntryType,
  firstConfiguration,
  type HardState,
  type Message,
  type Raft,
  type RaftOptions,
  type ReplicaId,
} from "../../lib/raft/mod.ts";
import { type ScriptNode, ScriptWorld } from "../scripts/world.ts";

export function entry(term: number, index: number, type: EntryType = "command"): Entry {
  const data = type === "noop" ? new Uint8Array(0) : new TextEncoder().encode(`${term}.${index}`);
  return { index, term, time: 0, type, data };
}

/** Entries of these terms, from index 1 on. */
export function logOf(...terms: number[]): Entry[] {
  return terms.map((term, at) => entry(term, at + 1));
}

export type Start = {
  readonly log?: readonly Entry[];
  readonly hardState?: HardState;
  readonly voters?: readonly ReplicaId[];
  readonly options?: Partial<RaftOptions>;
};

/** The core n1 among n1, n2, n3; the others are only names. */
export class Lone {
  readonly world: ScriptWorld;
  readonly node: ScriptNode;

  constructor({ log = [], hardState, voters = ["n1", "n2", "n3"], options = {} }: Start = {}) {
    this.world = new ScriptWorld(options);
    this.world.forged = true;
    this.node = this.world.add("n1", firstConfiguration(voters), log, hardState);
    // What a restarted replica owes to a leader that it may have heard is over.
    this.node.now += 600;
  }

  get raft(): Raft {
    return this.world.raft("n1");
  }

  get status(): ReturnType<Raft["status"]> {
    return this.raft.status();
  }

  /** Terms of the log on disk. */
  get terms(): number[] {
    return this.node.disk.entries.map(({ term }) => term);
  }

  /** The core gets a message; what it sends in answer is returned. */
  receive(message: Message): Message[] {
    this.world.wire = [];
    this.world.step("n1", { type: "message", message });
    return this.sent();
  }

  /** Everything sent since last asked. */
  sent(): Message[] {
    return this.world.wire.splice(0).map(({ message }) => message);
  }

  /** So much time passes, then a tick. */
  tick(ms: number): Message[] {
    this.world.tick("n1", ms);
    return this.sent();
  }

  appendEntries(fields: Partial<Extract<Message, { type: "AppendEntries" }>>): Message[] {
    return this.receive({
      type: "AppendEntries",
      from: "n2",
      to: "n1",
      term: 1,
      prevLogIndex: 0,
      prevLogTerm: 0,
      entries: [],
      leaderCommit: 0,
      round: 1,
      echo: 0,
      confirmedAgeMs: -1,
      withholdMs: 500,
      ...fields,
    });
  }

  appendReply(fields: Partial<Extract<Message, { type: "AppendEntriesReply" }>>): Message[] {
    return this.receive({
      type: "AppendEntriesReply",
      from: "n2",
      to: "n1",
      term: this.status.currentTerm,
      success: true,
      matchIndex: 0,
      prevLogIndex: 0,
      hintIndex: 0,
      hintTerm: 0,
      round: 1,
      ...fields,
    });
  }

  requestVote(fields: Partial<Extract<Message, { type: "RequestVote" }>>): Message[] {
    return this.receive({
      type: "RequestVote",
      from: "n2",
      to: "n1",
      term: 1,
      preVote: false,
      lastLogIndex: 0,
      lastLogTerm: 0,
      transfer: false,
      ...fields,
    });
  }

  voteReply(
    from: ReplicaId,
    fields: Partial<Extract<Message, { type: "RequestVoteReply" }>> = {},
  ): Message[] {
    const { role, currentTerm } = this.status;
    const preVote = role === "preCandidate";
    return this.receive({
      type: "RequestVoteReply",
      from,
      to: "n1",
      term: currentTerm + (preVote ? 1 : 0),
      preVote,
      granted: true,
      ...fields,
    });
  }

  /** To candidate, by a pre-vote of n2; returns the requests. */
  becomeCandidate(): Message[] {
    this.tick(1100);
    return this.voteReply("n2");
  }

  becomeLeader(): Message[] {
    this.becomeCandidate();
    return this.voteReply("n2");
  }
}

export function ofType<T extends Message["type"]>(
  messages: readonly Message[],
  type: T,
): Extract<Message, { type: T }>[] {
  return messages.filter((message) => message.type === type) as Extract<Message, { type: T }>[];
}
