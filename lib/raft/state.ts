// The state that the chapters share (Raft figure 2 "State") and the few moves on it that several of them make.
import { type Configuration, isVoter } from "./configuration.ts";
import { ConfigurationHistory } from "./configuration-history.ts";
import type { ReplicaId } from "./identity.ts";
import { RaftLog } from "./log.ts";
import type { Message } from "./messages.ts";
import type { Progress } from "./progress.ts";
import type { HardState, RaftOptions, ReadState, Role } from "./ready.ts";

/** A broken invariant: the core must not be used any more. */
export class BrokenInvariant extends Error {
  override name = "BrokenInvariant";
}

/** A read that waits for its round to be confirmed. */
export type PendingRead = { readonly id: number; readonly index: number; readonly round: number };

/** What only a leader has; made at election, gone at step-down. */
export type Leadership = {
  readonly since: number;
  /** Index of the no-op of this term: once it is committed, everything before is too. */
  readonly termStart: number;
  /** Log time at the election, ms; the clock of the log runs on from here. */
  readonly timeBase: number;
  readonly progress: Map<ReplicaId, Progress>;
  /** The latest round and when each of the last rounds was sent (a ring). */
  round: number;
  roundSentAt: number;
  /** Reads without a round yet, and those whose round is under way. */
  newReads: number[];
  pendingReads: PendingRead[];
  transfer: { readonly target: ReplicaId; readonly deadline: number; sent: boolean } | null;
  /** A TimeoutNow of this term may still be on its way: no lease holds any more. */
  leaseRevoked: boolean;
  uncommittedBytes: number;
  /** Since when something has been waiting to be committed without any of it becoming so; null = nothing waits. */
  unsettledSince: number | null;
  readonly rounds: RoundTimes;
};

/** Sending times of the latest rounds; older ones are forgotten, and their echoes then say nothing. */
export class RoundTimes {
  static readonly size = 4096;
  readonly #at = new Float64Array(RoundTimes.size);
  #latest = 0;

  sent(round: number, now: number): void {
    this.#at[round % RoundTimes.size] = now;
    this.#latest = round;
  }

  /** When the round was sent; null when unknown. */
  when(round: number): number | null {
    const known = round > 0 && round <= this.#latest && round > this.#latest - RoundTimes.size;
    return known ? this.#at[round % RoundTimes.size] ?? null : null;
  }
}

export class RaftState {
  readonly id: ReplicaId;
  readonly options: Required<RaftOptions>;
  readonly log: RaftLog;
  readonly configurations: ConfigurationHistory;

  // Persistent (figure 2).
  currentTerm: number;
  votedFor: ReplicaId | null;
  withholdMs: number;
  /** These as last handed out to be persisted, and the latest term that is durable. */
  handed: HardState;
  durableTerm: number;

  // Volatile (figure 2).
  commitIndex: number;
  /** Handed out to be applied; ≤ min(commitIndex, durable). */
  lastApplied: number;

  role: Role = "follower";
  leaderId: ReplicaId | null = null;
  leadership: Leadership | null = null;

  /** The host's clock at the present event, ms. */
  now: number;
  /** When a leader was last heard, or may have been before a restart; votes are withheld for withholdMs after it (§6, diss. §4.2.3). */
  lastLeaderContact: number;
  electionTimerStart: number;
  electionTimeout: number;
  /** Votes of the present (pre-)campaign. */
  votes = new Map<ReplicaId, boolean>();
  /** The present campaign was asked for by the leader. */
  campaignIsTransfer = false;
  /** When those who have not answered are asked again, and how long to wait after that. */
  askAgain = { at: Infinity, afterMs: 0 };

  /** Everything that completed anywhere before this time is applied here; −Infinity = unknown. */
  freshAsOf = -Infinity;
  /** The next value of freshAsOf, once this much is applied. */
  freshCandidate: { readonly commitIndex: number; readonly asOf: number } | null = null;
  /** When which round of this term was first answered. */
  roundReplies: { readonly round: number; readonly at: number }[] = [];
  /** Rounds up to here may have been answered before a restart: their echoes date nothing. null = not known yet. */
  roundFloor: number | null = null;
  readonly startedAt: number;

  // Owed to the host.
  messages: Message[] = [];
  readStates: ReadState[] = [];
  /** Readies that asked for persisting and are not yet durable, in order. */
  outstanding: { readonly number: number; readonly at: number; readonly term: number }[] = [];

  constructor(options: RaftOptions) {
    this.options = {
      maxMessageBytes: 1024 * 1024,
      maxInflightMessages: 256,
      maxInflightBytes: 8 * 1024 * 1024,
      maxUncommittedBytes: 64 * 1024 * 1024,
      maxTailBytes: 16 * 1024 * 1024,
      maxCommittedBytes: 4 * 1024 * 1024,
      clockDrift: 0.1,
      retransmitMs: options.heartbeatMs,
      thrifty: false,
      ...options,
    };
    const { restored, now } = options;
    this.id = options.id;
    this.log = new RaftLog(options.log, restored.last, restored.lastTime, this.options.maxTailBytes);
    this.configurations = new ConfigurationHistory(restored.configurations);
    this.handed = restored.hardState;
    this.currentTerm = this.durableTerm = restored.hardState.currentTerm;
    this.votedFor = restored.hardState.votedFor;
    this.withholdMs = restored.hardState.withholdMs;
    this.lastApplied = restored.lastApplied;
    this.commitIndex = restored.lastApplied;
    this.now = this.startedAt = now;
    this.lastLeaderContact = now;
    this.electionTimerStart = now;
    this.electionTimeout = 0;
  }

  get configuration(): Configuration {
    return this.configurations.latest.configuration;
  }

  /** The leader's part; only a leader asks. */
  get leading(): Leadership {
    this.check(this.leadership !== null, "only a leader has a leadership");
    return this.leadership;
  }

  /** An invariant: broken, the replica is poisoned through fatal() before anything is thrown. */
  check(condition: boolean, message: string | (() => string)): asserts condition {
    if (condition) return;
    const what = typeof message === "string" ? message : message();
    this.options.fatal(`raft invariant broken on ${this.id} in term ${this.currentTerm}: ${what}`);
    throw new BrokenInvariant(what);
  }

  send(message: Message): void {
    this.messages.push(message);
  }

  /**
   * Whether it may campaign: a voter of the latest configuration, or of one before it as long as the latest is not
   * known to be committed (only such a replica may hold the entry that lets anybody win; diss. §4.2.2).
   */
  mayCampaign(): boolean {
    const history = this.configurations.all();
    for (let at = history.length - 1; at >= 0; at--) {
      const { index, configuration } = history[at]!;
      if (isVoter(configuration, this.id)) return true;
      if (index <= this.commitIndex) return false;
    }
    return false;
  }

  /** A disk that has not answered for an election timeout: such a replica must neither lead nor campaign. */
  diskStalled(): boolean {
    const oldest = this.outstanding[0];
    return oldest !== undefined && this.now - oldest.at >= this.options.electionMs;
  }
}
