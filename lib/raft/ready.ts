// What the core takes in and what it owes: the types of Raft's port to the world.
import type { ConfigurationAt } from "./configuration.ts";
import type { Entry, Position } from "./entry.ts";
import type { ReplicaId } from "./identity.ts";
import type { Message } from "./messages.ts";

/** Raft figure 2, "persistent state", but the log; and one promise more. */
export type HardState = {
  readonly currentTerm: number;
  /** A vote in currentTerm; null = none given. */
  readonly votedFor: ReplicaId | null;
  /**
   * For how long votes are withheld after contact with a leader, ms: what the leader last followed counts on for its
   * lease. After a restart it is waited out from the start. 0 = never followed one.
   */
  readonly withholdMs: number;
};

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

/** For people, metrics and routing. Changes are announced once each. */
export type SoftState = {
  readonly role: Role;
  readonly currentTerm: number;
  /** The leader of currentTerm as far as known. */
  readonly leaderId: ReplicaId | null;
};

/** `now` is the host's monotonic clock in milliseconds, any origin; it never falls from event to event. */
export type Event =
  | { readonly type: "tick"; readonly now: number }
  | { readonly type: "message"; readonly now: number; readonly message: Message }
  /** All that Ready `number` (and those before it) asked to persist is durable. `last` is the last position of the durable log. */
  | { readonly type: "persisted"; readonly now: number; readonly number: number; readonly last: Position };

/** A read that was asked for: safe once everything up to `index` is applied; null = refused, leadership was lost. */
export type ReadState = { readonly id: number; readonly index: number | null };

/** What is owed since the last call of `ready()`. Several may be outstanding; they are persisted in order of `number`. */
export type Ready = {
  /** Counts from 1; goes back in `persisted`. */
  readonly number: number;
  /** To persist together with `entries`; null = unchanged. */
  readonly hardState: HardState | null;
  /** To persist: everything from entries[0].index on is cut off first. Empty = nothing. */
  readonly entries: readonly Entry[];
  /** Configurations by index as of these entries, to persist with them; null = unchanged. Index order, the first is the base. */
  readonly configurations: readonly ConfigurationAt[] | null;
  /** May be sent before the fsync: AppendEntries of a leader whose term is durable (diss. §10.2.1), pre-votes and their refusal. */
  readonly messages: readonly Message[];
  /** To be sent only when this Ready and all before it are durable: votes asked and given, acknowledgements. */
  readonly messagesAfterPersist: readonly Message[];
  /** To apply, in order: committed and durable here. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadState[];
  /** null = unchanged. */
  readonly softState: SoftState | null;
};

export type Proposal =
  | { readonly type: "command"; readonly data: Uint8Array }
  /** The configuration to reach; the core goes there through a joint phase. */
  | {
    readonly type: "configuration";
    readonly voters: readonly ReplicaId[];
    readonly learners: readonly ReplicaId[];
  };

/** Why a proposal, read or transfer was refused; nothing of it happened. */
export type Rejection =
  /** Not the leader. */
  | "not_leader"
  /** The leader is handing over. */
  | "transferring"
  /** The bound on uncommitted entries is reached. */
  | "overloaded"
  /** A membership change is running. */
  | "change_running"
  /** Nothing of this term is committed yet (Ongaro 2015; ReadIndex, diss. §6.4). */
  | "no_commit_in_term"
  /** A configuration without voters, with a replica twice, or that is the present one; a transfer to no voter. */
  | "invalid";

export type Result<T, R = Rejection> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: R };

/** Entries older than the tail that the core keeps in memory. */
export type LogReader = {
  /** Entries from..to (inclusive) of the durable log, at least one, cut off when `maxBytes` is passed. Both ends exist. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[];
  /** The term of a durable entry; it exists. */
  term(index: number): number;
};

/** What a restarted core begins with; all of it durable. */
export type RestoredState = {
  readonly hardState: HardState;
  /** The last position of the durable log; index 0, term 0 when empty. */
  readonly last: Position;
  /** Log time of the last entry; 0 when empty. */
  readonly lastTime: number;
  /** What the state machine holds durably; entries after it are handed out again. */
  readonly lastApplied: number;
  /** At least one; the first is the base. */
  readonly configurations: readonly ConfigurationAt[];
};

export type RaftOptions = {
  readonly id: ReplicaId;
  readonly restored: RestoredState;
  readonly log: LogReader;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Called when an invariant is broken, before the core throws: poison the replica, end the process. */
  readonly fatal: (message: string) => void;
  readonly heartbeatMs: number;
  /** The election timeout is drawn from [electionMs, 2 × electionMs). Replicas may differ in it. */
  readonly electionMs: number;
  /** The host's clock at the start. */
  readonly now: number;
  /** Bound of one AppendEntries in bytes; one entry always fits. Default 1 MiB. */
  readonly maxMessageBytes?: number;
  /** Bounds of what is in flight to one follower. Defaults 256 messages, 8 MiB. */
  readonly maxInflightMessages?: number;
  readonly maxInflightBytes?: number;
  /** Bound of the uncommitted entries a leader takes, in bytes. Default 64 MiB. */
  readonly maxUncommittedBytes?: number;
  /** Bound of the log's tail in memory, in bytes; only durable and applied entries are let go. Default 16 MiB. */
  readonly maxTailBytes?: number;
  /** Bound of `committed` of one Ready, in bytes; one entry always fits. Default 4 MiB. */
  readonly maxCommittedBytes?: number;
  /** Assumed bound of the relative drift of two clocks, for leases. Default 0.1. */
  readonly clockDrift?: number;
  /** How long an acknowledgement may take before what was sent is sent again, ms; doubles while nothing comes. Default heartbeatMs. */
  readonly retransmitMs?: number;
  /** Replicate at once to a bare majority, to the rest with the next heartbeat. Default false. */
  readonly thrifty?: boolean;
};

/** One peer as the leader sees it. */
export type PeerStatus = {
  readonly id: ReplicaId;
  readonly matchIndex: number;
  readonly nextIndex: number;
  readonly state: "probe" | "replicate";
  readonly inflightMessages: number;
  readonly inflightBytes: number;
  /** ms since it was last heard from in this term; null = never. */
  readonly lastContactMs: number | null;
  /** It rejected what it had acknowledged: its disk was set back, and only as another incarnation can it take part again. */
  readonly hasForgotten: boolean;
};

/** A picture of the core, for status, metrics and invariants. */
export type RaftStatus = {
  readonly id: ReplicaId;
  readonly role: Role;
  readonly currentTerm: number;
  readonly votedFor: ReplicaId | null;
  readonly leaderId: ReplicaId | null;
  readonly commitIndex: number;
  readonly lastApplied: number;
  readonly durableIndex: number;
  readonly last: Position;
  readonly configuration: ConfigurationAt;
  /** True as long as the entry that brought `configuration` is not known to be committed. */
  readonly configurationUncommitted: boolean;
  /** Only on a leader. */
  readonly peers: readonly PeerStatus[];
  readonly transferTarget: ReplicaId | null;
};
