// What a replica offers to the front doors (HTTP, adapters): writes with one of three endings, reads at a chosen
// consistency, the stream of what was applied, and a picture of itself.
import type { ConfigurationAt, PeerStatus, Rejection, ReplicaId, Result, Role } from "../raft/mod.ts";
import type { Applicant } from "./applicants.ts";
import type { BringUpStatus } from "./bring-up.ts";
import type { ChangeStatus } from "./changes.ts";
import type { Contact } from "./contacts.ts";
import type { AdminOutcome, AdminRequest } from "./membership-messages.ts";
import type { RefusalReason } from "./peer-messages.ts";

/** The three endings of a write, never mixed. */
export type Outcome =
  /** Applied here, at this index and term, with the state machine's result. */
  | { readonly type: "done"; readonly index: number; readonly term: number; readonly result: Uint8Array }
  /** Definitely not done, now or later: safe to send again. */
  | { readonly type: "refused"; readonly reason: RefusalReason }
  /** May or may not be done, now or later. */
  | { readonly type: "unknown"; readonly reason: "deadline" | "link_lost" | "stopping" };

export type Consistency =
  /** Reflects everything that had completed when the read began. */
  | { readonly type: "linearizable" }
  /** The same under bounded clock drift, without a round of messages; the leader only, others fall back to linearizable. */
  | { readonly type: "lease" }
  /** What this node has; refused when older than `maxStalenessMs`, where given. */
  | { readonly type: "stale"; readonly maxStalenessMs: number | null };

/** Permission to read the local state right now, in the same turn. */
export type ReadPermit =
  | {
    readonly ok: true;
    readonly index: number;
    readonly term: number; /** null = not known. */
    readonly stalenessMs: number | null;
  }
  | { readonly ok: false; readonly reason: RefusalReason | "too_stale" };

/** One step of the ordered stream of what this node applied. */
export type Applied = {
  readonly index: number;
  readonly term: number;
  /** Log time, ms. */
  readonly time: number;
  readonly type: "command" | "noop" | "configuration";
  /** Empty unless it is a command. */
  readonly command: Uint8Array;
  readonly result: Uint8Array;
};

export type ReplicaApi<Query = never, Answer = unknown> = {
  /** Never throws; settles by `timeoutMs` at the latest. */
  propose(command: Uint8Array, options: { readonly timeoutMs: number }): Promise<Outcome>;
  /** Waits until a local read is allowed. Settles by `timeoutMs` at the latest. Query in the same turn as it resolves. */
  read(consistency: Consistency, options: { readonly timeoutMs: number }): Promise<ReadPermit>;
  /** Asks the state machine about the state as applied so far here. */
  query(query: Query): Answer;
  /** Calls `listener` for everything applied from now on, in order, once each. Returns how to stop. */
  subscribe(listener: (applied: Applied) => void): () => void;
  /** A change of the members that people ask for, on any node; settles a little after `timeoutMs` at the latest. */
  administer(request: AdminRequest, options: { readonly timeoutMs: number }): Promise<AdminOutcome>;
  /** What gossip knows of the members. */
  directory(): readonly DirectoryEntry[];
  /** Hands leadership to `to`, or to the voter that is furthest; returns whom. Only on the leader. */
  transferLeadership(to: ReplicaId | null): Result<ReplicaId>;
  status(): ReplicaStatus;
  /** Stops taking work, hands over leadership, lets what is in flight end, commits the state, closes. Bounded by `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
};

/** What a member said of itself, and how long ago it said something new. */
export type DirectoryEntry = {
  readonly replica: ReplicaId;
  readonly url: string;
  readonly region: string;
  readonly version: string;
  /** null = it said nothing, others name it. */
  readonly ageMs: number | null;
  /** Members that said lately that they have no link to it. */
  readonly unreachableFrom: readonly ReplicaId[];
};

export type Phase =
  /** First start: the record is not agreed upon yet. */
  | "forming"
  /** It asks to be let into a cluster, or is being brought up by it. */
  | "joining"
  /** Takes part. */
  | "running"
  /** It was removed from its cluster: quiet, answers nothing. */
  | "removed"
  /** A member of its cluster found its data folder to be a copy or rolled back: quiet, answers nothing. */
  | "refused"
  | "stopping"
  | "stopped"
  /** An invariant broke or a disk failed: answers nothing, the process is to end. */
  | "failed";

export type ReplicaStatus = {
  readonly phase: Phase;
  /** While forming or joining, or when refused: what is waited for, as a sentence for people. */
  readonly waitingFor: string | null;
  readonly clusterId: string | null;
  readonly replica: ReplicaId;
  readonly bootCount: number;
  readonly role: Role;
  readonly term: number;
  readonly leaderId: ReplicaId | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  /** Log time of what was applied last, ms. */
  readonly logTime: number;
  readonly durableIndex: number;
  readonly lastIndex: number;
  /** null while forming. */
  readonly configuration: ConfigurationAt | null;
  /** Only on a leader. */
  readonly peers: readonly PeerStatus[];
  readonly connected: readonly {
    readonly replica: ReplicaId;
    readonly url: string;
    readonly version: string;
    readonly lastContactMs: number | null;
  }[];
  /** Upper bound of how old the local state is, ms; null = not known. */
  readonly stalenessMs: number | null;
  readonly queuedProposals: number;
  readonly queuedBytes: number;
  readonly pendingReads: number;
  /** Whether a linearizable read would be served now, as far as can be told without asking. */
  readonly ready: boolean;
  readonly diskFull: boolean;
  /** When replicas were last heard from here, also those that are lost, and whoever led then. */
  readonly contacts?: ReadonlyMap<ReplicaId, Contact>;
  /** For how long this process has been looking, ms: of whom it has not heard, it has not heard for so long. */
  readonly watchedMs?: number;
  /** Members that this leader is bringing up. */
  readonly bringUps?: readonly (BringUpStatus & { readonly replica: ReplicaId })[];
  /** Changes of the members that people asked this leader for and that are not over. */
  readonly changes?: readonly ChangeStatus[];
  /** Nodes that have asked this one lately to be let in, and are not. */
  readonly applicants?: readonly Applicant[];
};

export type { Rejection };
