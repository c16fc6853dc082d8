// What was promised and seen over the whole life of a cluster, crashes included: votes, leaders, acknowledgements,
// applied entries, reads, leases. It knows the disks, so that a promise made before the fsync is found out at once.
import {
  type Configuration,
  type ConfigurationAt,
  type Entry,
  type HardState,
  type Message,
  type Raft,
  type RaftStatus,
  type ReplicaId,
} from "../../lib/raft/mod.ts";
import { showEntry } from "./show.ts";

/** A replica as the ledger sees it. */
export type Observed = {
  readonly id: ReplicaId;
  readonly raft: Raft | null;
  readonly now: number;
  readonly disk: {
    readonly hardState: HardState;
    readonly entries: readonly Entry[];
    readonly configurations: readonly ConfigurationAt[];
  };
  readonly pending: readonly unknown[];
  readonly hauntedIn: number;
};

type Committed = { readonly entry: Entry; readonly clocks: ReadonlyMap<ReplicaId, number> };

export class Ledger {
  readonly #nodes: ReadonlyMap<ReplicaId, Observed>;
  /** By term: who voted for whom, as far as anybody was told. */
  readonly #votes = new Map<number, Map<ReplicaId, ReplicaId>>();
  readonly #leaders = new Map<number, ReplicaId>();
  readonly #committed: Committed[] = [];
  /** Reads that were asked for and not answered: by whom, and what was committed before. */
  readonly #reads = new Map<number, { readonly node: ReplicaId; readonly floor: number }>();

  constructor(nodes: ReadonlyMap<ReplicaId, Observed>) {
    this.#nodes = nodes;
  }

  /** How many entries were applied anywhere. */
  get committedIndex(): number {
    return this.#committed.length;
  }

  /** A message leaves: what it promises must be on the sender's disk. */
  sent(node: Observed, message: Message): void {
    const { hardState, entries } = node.disk;
    if (message.type === "RequestVote" && !message.preVote) this.#vote(node, message.term, node.id);
    else if (message.type === "RequestVoteReply" && !message.preVote && message.granted) {
      this.#vote(node, message.term, message.to);
    } else if (message.type === "AppendEntriesReply" && message.success) {
      const held = entries.length;
      if (held < message.matchIndex) {
        broken(`${node.id} acknowledges ${message.matchIndex}, durable is ${held}`);
      }
    }
    const promises = message.type === "AppendEntries" || message.type === "AppendEntriesReply";
    if (promises && hardState.currentTerm < message.term) {
      broken(`${node.id} speaks in term ${message.term}, durable is ${hardState.currentTerm}`);
    }
  }

  #vote(voter: Observed, term: number, candidate: ReplicaId): void {
    const { currentTerm, votedFor } = voter.disk.hardState;
    const durable = currentTerm > term || currentTerm === term && votedFor === candidate;
    if (!durable) broken(`${voter.id} votes for ${candidate} in term ${term} before that is durable`);
    const votes = this.#votes.get(term) ?? new Map<ReplicaId, ReplicaId>();
    this.#votes.set(term, votes);
    const earlier = votes.get(voter.id);
    if (earlier !== undefined && earlier !== candidate) {
      broken(`${voter.id} votes twice in term ${term}: ${earlier}, then ${candidate}`);
    }
    votes.set(voter.id, candidate);
  }

  /** An entry is applied: everywhere the same, and durable here. */
  applied(node: Observed, entry: Entry): void {
    const own = node.disk.entries[entry.index - 1];
    if (own === undefined || own.term !== entry.term) {
      broken(`${node.id} applies ${showEntry(entry)}, which is not on its disk`);
    }
    const known = this.#committed[entry.index - 1]?.entry;
    if (known === undefined) {
      const clocks = new Map([...this.#nodes.values()].map((other) => [other.id, other.now]));
      this.#committed.push({ entry, clocks });
      if (this.#committed.length !== entry.index) broken(`${node.id} applies ${entry.index} before its turn`);
    } else if (known.term !== entry.term || showEntry(known) !== showEntry(entry)) {
      broken(`${node.id} applies ${showEntry(entry)}, where ${showEntry(known)} was applied before`);
    }
  }

  readAsked(node: ReplicaId, id: number): void {
    this.#reads.set(id, { node, floor: this.#committed.length });
  }

  /** `index` null: refused. */
  readAnswered(node: ReplicaId, id: number, index: number | null): void {
    const read = this.#reads.get(id);
    if (read === undefined) broken(`${node} answers read ${id}, which nobody waits for`);
    this.#reads.delete(id);
    if (index !== null && index < read.floor) {
      broken(`${node} says read ${id} is safe at ${index}, ${read.floor} was committed before`);
    }
  }

  /** Reads that nobody will ever answer. */
  unansweredReads(): number[] {
    return [...this.#reads.keys()];
  }

  /** Its open reads are gone with it. */
  crashed(node: ReplicaId): void {
    for (const [id, read] of this.#reads) if (read.node === node) this.#reads.delete(id);
  }

  /** One replica that is up, after a step; `before` is its status after the step before. */
  check(node: Observed, status: RaftStatus, before: RaftStatus | null): void {
    this.#checkConfiguration(node, status);
    if (status.role !== "leader") return;
    const { currentTerm, commitIndex, configuration } = status;
    const other = this.#leaders.get(currentTerm);
    if (other === undefined) {
      this.#newLeader(status);
      const begun = configuration.index > commitIndex &&
        node.raft?.termAt(configuration.index) === currentTerm;
      if (begun) broken(`${node.id} begins its term with a configuration, before anything is committed`);
    } else if (other !== node.id) broken(`${other} and ${node.id} both led term ${currentTerm}`);
    if (before !== null && before.commitIndex < commitIndex && before.role === "leader") {
      if (node.raft?.termAt(commitIndex) !== currentTerm) {
        broken(`${node.id} commits ${commitIndex}, of an earlier term than ${currentTerm}, by counting`);
      }
      this.#checkHeldByQuorum(configuration.configuration, commitIndex, currentTerm);
    }
  }

  #newLeader({ id, currentTerm, configuration, last }: RaftStatus): void {
    this.#leaders.set(currentTerm, id);
    const votes = this.#votes.get(currentTerm) ?? new Map<ReplicaId, ReplicaId>();
    const forIt = new Map([...votes].map(([voter, candidate]) => [voter, candidate === id]));
    // Alone, a candidate needs to ask nobody, so that its own vote was never heard of.
    forIt.set(id, true);
    if (!byMajorities(configuration.configuration, (voter) => forIt.get(voter) === true)) {
      broken(`${id} leads term ${currentTerm} without the votes of a majority`);
    }
    const held = this.#committed.at(-1)?.entry;
    if (held !== undefined && last.index < held.index) {
      broken(`${id} leads term ${currentTerm} without ${showEntry(held)}, which is committed`);
    }
  }

  #checkHeldByQuorum(configuration: Configuration, index: number, term: number): void {
    const held = byMajorities(configuration, (replica) => {
      return this.#nodes.get(replica)?.disk.entries[index - 1]?.term === term;
    });
    if (!held) broken(`${term}/${index} is called committed and is not on the disks of a majority`);
  }

  /** In force is the newest configuration of the log, committed or not. */
  #checkConfiguration(node: Observed, status: RaftStatus): void {
    if (node.pending.length > 0) return;
    const newest = node.disk.entries.findLast((entry) => entry.type === "configuration")?.index;
    const inForce = status.configuration.index;
    if (newest !== undefined && inForce !== newest || newest === undefined && inForce > status.last.index) {
      broken(
        `${node.id} goes by the configuration of index ${inForce}, its log's newest is at ${newest ?? 0}`,
      );
    }
  }

  /** Only where all clocks run alike, but for the allowed drift: while a lease holds, nobody is elected. */
  checkLease({ id, now, raft }: Observed): void {
    if (raft === null || raft.leaseUntil() <= now) return;
    const { currentTerm } = raft.status();
    const newest = Math.max(...this.#leaders.keys());
    if (newest > currentTerm) broken(`${id} holds a lease of term ${currentTerm}, ${newest} has a leader`);
  }

  /** Only where all clocks run alike. */
  checkFreshness(node: Observed): void {
    const { raft } = node;
    if (raft === null) return;
    const { currentTerm, lastApplied } = raft.status();
    if (node.hauntedIn >= currentTerm) return;
    const missing = this.#committed[lastApplied];
    const committedAt = missing?.clocks.get(node.id);
    if (missing !== undefined && committedAt !== undefined && committedAt < raft.freshAsOf()) {
      broken(
        `${node.id} claims to be fresh as of ${raft.freshAsOf()}, ${showEntry(missing.entry)} is missing`,
      );
    }
  }
}

/** By definition, not by the core's arithmetic: more than half of each group of voters. */
function byMajorities({ voters, outgoing }: Configuration, agrees: (voter: ReplicaId) => boolean): boolean {
  return [voters, outgoing].every((group) =>
    group.length === 0 || group.filter(agrees).length * 2 > group.length
  );
}

function broken(message: string): never {
  throw new Error(message);
}
