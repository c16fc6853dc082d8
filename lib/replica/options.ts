// Everything a replica is made of: the ports, the limits, the hooks. Who wires one does it in this order:
//
//   openDurableLog → claimIdentity → links (with the identity and its admit) → openAppliedState → new Replica → start()
import type { Raft, RaftOptions } from "../raft/mod.ts";
import type { AppliedState } from "./applied-state.ts";
import type { DurableLog } from "./durable-log.ts";
import type { LocalIdentity } from "./identity.ts";
import type { Clock, Links, Log, Random, Scheduler, SpaceProbe, StateMachineFactory } from "./ports.ts";

export type ReplicaOptions<Query = never, Answer = unknown> = {
  /** From claimIdentity(): who this node is, durably. */
  readonly identity: LocalIdentity;
  readonly durableLog: DurableLog;
  readonly state: AppliedState;
  readonly machine: StateMachineFactory<Query, Answer>;
  /** Delivers every message at most once and closes a link rather than lose one in its middle unnoticed. */
  readonly links: Links;
  /**
   * Ids that are to form a cluster with this one at its first start, itself included or not; only itself = a cluster of
   * one, at once; empty = it waits to be admitted. What is on disk beats it.
   */
  readonly expected: readonly string[];
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly space: SpaceProbe;
  /** For people. */
  readonly log: Log;
  /** Called once when an invariant broke or a disk failed: the process has to end. */
  readonly fatal: (message: string) => void;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly metrics?: ReplicaMetrics;
  readonly limits?: Partial<ReplicaLimits>;
  /** Bounds of the core; see RaftOptions. */
  readonly raft?: RaftLimits;
  readonly membership?: MembershipSettings;
  /** Called once when this node takes part no more, or has given up asking to. */
  readonly out?: (out: Out) => void;
  /** Given the core as it begins, to look at: for whoever watches its invariants. */
  readonly onCore?: (core: Pick<Raft, "status" | "termAt">) => void;
};

/** On the disk by the time it is told. */
export type DurablyOut =
  /** `away`: it happened while this node was not there, before this start. */
  | { readonly why: "removed"; readonly away: boolean }
  | { readonly why: "refused" };

export type Out =
  | DurablyOut
  /** Its id belongs to another living node. */
  | { readonly why: "taken"; readonly sentence: string };

/** A node whose log was set aside is admitted or waits, whatever it is told to form. */
export function asDiskSays<Query, Answer>(
  options: ReplicaOptions<Query, Answer>,
): ReplicaOptions<Query, Answer> {
  if (options.identity.setAside === null) return options;
  return { ...options, expected: [], membership: { ...options.membership, join: true, discovers: false } };
}

export type MembershipSettings = {
  /** Without a cluster of its own it asks every peer it is linked to to be let in. What is on disk beats it. */
  readonly join?: boolean;
  /** It forms a cluster with whoever is found; see Replica.discovering. */
  readonly discovers?: boolean;
  /** What it wants to be. Default voter. */
  readonly role?: "voter" | "learner";
  /** Members that nobody has heard of for so long are removed by the leader, ms; null = never. */
  readonly removeDeadAfterMs?: number | null;
  /** What gossip says of this node. */
  readonly about?: () => { readonly url: string; readonly region: string; readonly software: string };
};

export type RaftLimits = Pick<
  RaftOptions,
  | "maxMessageBytes"
  | "maxInflightMessages"
  | "maxInflightBytes"
  | "maxUncommittedBytes"
  | "maxTailBytes"
  | "maxCommittedBytes"
  | "clockDrift"
  | "retransmitMs"
  | "thrifty"
>;

export type ReplicaLimits = {
  /** Writes that wait for their ending, and their bytes: past them a write is refused as overloaded. */
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /** Reads that wait for permission. */
  readonly maxReads: number;
  /** Free space in bytes below which writes are refused; below half of it no entries are taken from a leader either. */
  readonly reserveBytes: number;
  /** A drain that applied for so long lets others have a turn, ms. */
  readonly applyMs: number;
  /** Time between two ticks of the core, ms. */
  readonly tickMs: number;
  /** Readies handed to the log and not durable yet; past it the core is not asked for more: one is synced, one gathers. */
  readonly maxOutstanding: number;
};

export const defaultLimits: ReplicaLimits = {
  maxProposals: 16_384,
  maxProposalBytes: 64 * 1024 * 1024,
  maxReads: 65_536,
  reserveBytes: 64 * 1024 * 1024,
  applyMs: 10,
  tickMs: 10,
  maxOutstanding: 4,
};

/** Told while it happens; must not throw. */
export type ReplicaMetrics = {
  /** One durable transaction of the log took so long. */
  onFsync?(seconds: number): void;
  /** One durable transaction of the state took so long. */
  onStateCommit?(seconds: number): void;
  /** So many entries were applied in one go. */
  onApplied?(entries: number): void;
  /** A write that began here ended. */
  onOutcome?(type: "done" | "refused" | "unknown"): void;
};
