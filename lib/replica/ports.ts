// The interfaces between a replica and the world. lib/memory implements them for simulation, lib/storage with SQLite,
// lib/peers with WebSockets. Nothing here knows which.
import type { ReplicaId } from "../raft/identity.ts";
import type { PeerMessage } from "./peer-messages.ts";

// ---- time and chance ------------------------------------------------------------------------------------------

export type Clock = {
  /** Monotonic milliseconds, any origin, fractions allowed. May stand still while a machine is suspended. */
  monotonic(): number;
  /** Wall clock, milliseconds since 1970. May jump. Only compared with itself and with monotonic(), never stored in the log. */
  wall(): number;
};

export type Scheduler = {
  /** Runs `task` once after `ms`; the returned function cancels it. */
  after(ms: number, task: () => void): () => void;
  /** Runs `task` when the work of this turn is done (setImmediate): everything that arrives meanwhile shares it. */
  defer(task: () => void): void;
};

/** Uniform in [0, 1). */
export type Random = () => number;

// ---- storage: the log -----------------------------------------------------------------------------------------

/** One row of the log table: the bytes of an entry, opaque to the table. */
export type LogRow = { readonly index: number; readonly bytes: Uint8Array };

/** What one fsynced transaction writes. Order: cut, rows, meta. */
export type LogBatch = {
  /** Rows with index ≥ this are removed first; null = none. */
  readonly cutFrom: number | null;
  /** Ascending, without gaps, following the last row that remains. */
  readonly rows: readonly LogRow[];
  /** Values under names, each replacing what was there. */
  readonly meta: readonly (readonly [name: string, value: Uint8Array])[];
  /** Rows with index ≤ this are removed (compaction); null = none. */
  readonly dropTo: number | null;
};

/**
 * The raw table under the log: rows and named values in one file, one durable transaction at a time. It promises that
 * what a completed commit wrote is there after a crash, and all or nothing of a commit that did not complete; checksums,
 * the witness and their judgement live above it in durable-log.ts.
 */
export type LogTable = {
  /** Names and values, as last committed. */
  meta(name: string): Uint8Array | null;
  /** Lowest and highest row index; null when there are no rows. */
  bounds(): { readonly first: number; readonly last: number } | null;
  /** Rows from..to (inclusive) that exist, ascending, ending with the row that reaches `maxBytes` (at least one). */
  rows(from: number, to: number, maxBytes: number): readonly LogRow[];
  /** `done(null)` once it is durable; `done(error)` on any failure, after which the table is not to be used again. May call before it returns. */
  commit(batch: LogBatch, done: (error: Error | null) => void): void;
  close(): void;
};

/** A small file beside the log; written after a commit, without fsync. Reads null where it does not exist. */
export type WitnessFile = {
  read(): Uint8Array | null;
  write(bytes: Uint8Array): void;
  /** Lets go of the file, where there is something to let go. */
  close?(): void;
};

/** Free space under the data folder, in bytes; Infinity where that cannot be known. */
export type SpaceProbe = () => number;

// ---- storage: the applied state -------------------------------------------------------------------------------

/**
 * An ordered store of bytes: keys in unsigned byte order. The same store reads its own writes at once.
 * The machine must not keep or change arrays that it was given.
 */
export type OrderedStore = {
  get(key: Uint8Array): Uint8Array | null;
  put(key: Uint8Array, value: Uint8Array): void;
  /** Whether there was such a key. */
  delete(key: Uint8Array): boolean;
  /** Keys in [start, end), ascending or descending; `end` null = no bound. Lazy; the store must not be changed while it is consumed. */
  scan(range: ScanRange): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
};

export type ScanRange = {
  readonly start: Uint8Array;
  readonly end: Uint8Array | null;
  readonly reverse?: boolean;
  /** At most so many; absent = all. */
  readonly limit?: number;
};

/**
 * The state file: an ordered store whose writes become durable together, with a small record beside them, when `commit`
 * is asked for and not before (a crash undoes everything since the last commit).
 */
export type StateStore = OrderedStore & {
  /** The record given to the last durable commit; null in a new file. */
  record(): Uint8Array | null;
  /** Makes all writes so far and `record` durable, atomically. `done` as in LogTable.commit. */
  commit(record: Uint8Array, done: (error: Error | null) => void): void;
  close(): void;
};

// ---- the state machine ----------------------------------------------------------------------------------------

/** A committed command as the state machine sees it. */
export type AppliedCommand = {
  /** Log index: also the revision. */
  readonly index: number;
  readonly term: number;
  /** Log time in milliseconds; the only clock that apply may use. */
  readonly time: number;
  readonly command: Uint8Array;
};

/**
 * Anybody's deterministic state machine: the same commands in the same order give the same store and the same results on
 * every replica. All its state lives in the store it was made with. It must not read clocks, chance or configuration.
 */
export type StateMachine<Query = never, Answer = unknown> = {
  /** Changes the store, returns the result for whoever proposed it. Throws only when it cannot go on (an unknown kind of command): that stops the node. */
  apply(command: AppliedCommand): Uint8Array;
  /**
   * Whether `apply` knows how to carry this out, whatever the state is. Asked before anything is proposed: what is refused
   * is in no log, and stops nobody. Must not throw. Absent = it knows everything.
   */
  accepts?(command: Uint8Array): boolean;
  /** Answers from the state as applied so far. Read-only. */
  query(query: Query): Answer;
};

export type StateMachineFactory<Query = never, Answer = unknown> = (
  store: OrderedStore,
) => StateMachine<Query, Answer>;

// ---- links to other replicas ----------------------------------------------------------------------------------

/** Control carries votes, heartbeats and small requests; bulk carries entries and forwarded writes. */
export type Channel = "control" | "bulk";

/** A peer that has proved who it is. */
export type PeerIdentity = {
  readonly replica: ReplicaId;
  /** null while it belongs to no cluster yet. */
  readonly clusterId: string | null;
  /** Durable count of its starts, and a nonce of the process: tells copied and rolled-back data folders. */
  readonly bootCount: number;
  readonly nonce: string;
  /** Nonces of its starts before this one, the newest last: what its data folder goes on from. */
  readonly earlier: readonly string[];
  /** Where it says it can be reached. */
  readonly url: string;
  readonly version: string;
};

export type Links = {
  /** Queues a message for the end of the turn. Returns false when it was dropped: no link, or its buffer is full. */
  send(to: ReplicaId, message: PeerMessage, channel: Channel): boolean;
  /**
   * Further addresses to dial until a peer answers there. `replica` is said to be there, and the address is left alone
   * while that one is linked; null = somebody mentioned the address, and nobody knows who is there. Both are forgotten
   * when they lead nowhere for long; absent = told to this node for good. Idempotent.
   */
  dial(url: string, replica?: ReplicaId | null): void;
  /** Addresses of which the last dial came to nothing. Absent where there are no addresses. */
  troubles?(): readonly DialTrouble[];
  /** Peers with an open control link; lastContactMs where it is known: how long ago anything came, keepalives included. */
  connected(): readonly (PeerIdentity & { readonly lastContactMs?: number })[];
  /** Sets who is told; called once, before anything is dialled. */
  listen(listener: LinkListener): void;
  close(): void;
};

/** `why` is read after the URL: "connection refused". `forGood`: the address was told to this node for good. */
export type DialTrouble = { readonly url: string; readonly why: string; readonly forGood: boolean };

export type LinkListener = {
  message(from: ReplicaId, message: PeerMessage): void;
  /** A peer's first link is up, or its last is gone (writes forwarded over it have an unknown outcome). */
  up(peer: PeerIdentity): void;
  down(peer: PeerIdentity): void;
  /** A peer that knows the cluster's secret has refused this node. */
  refused?(refusal: LinkRefusal): void;
};

export type LinkRefusal = {
  /** "stale_folder" = it remembers starts of this replica that this node's data folder does not go on from. */
  readonly code: string;
  readonly sentence: string;
  /** The cluster of whoever refused; null = it is in none. */
  readonly clusterId: string | null;
};

// ---- people ---------------------------------------------------------------------------------------------------

export type LogLevel = "debug" | "info" | "warning" | "error";

/** One structured line: what happened, as a sentence, and the values in it. */
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
