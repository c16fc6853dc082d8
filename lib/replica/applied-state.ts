// The applied state: the state machine's rows, checked, and beside them how far they are. All of it becomes durable
// together and rarely; after a crash the rest is applied again from the log (design §4), so that nothing here needs to
// be durable before an acknowledgement. Index and rows are one transaction: they can never disagree.
import { MalformedBytes } from "../bytes/mod.ts";
import type { ConfigurationAt } from "../raft/mod.ts";
import { type AppliedRecord, decodeAppliedRecord, encodeAppliedRecord } from "./applied-record.ts";
import { CheckedStore } from "./checked-store.ts";
import { type Corruption, CorruptStorage, mendState } from "./corruption.ts";
import type { OrderedStore, StateStore } from "./ports.ts";
import { diskBytes } from "./space.ts";
import { hashRow, StateHash } from "./state-hash.ts";

export type { AppliedRecord } from "./applied-record.ts";

export type AppliedStateOptions = {
  readonly store: StateStore;
  /** Told before CorruptStorage is thrown by a read: poison the replica, end the process. */
  readonly fatal?: (message: string) => void;
};

export type OpenedState =
  | { readonly ok: true; readonly state: AppliedState }
  | { readonly ok: false; readonly corruption: Corruption };

/** Verifies the record; rows are verified as they are read. A new store is fine: its `record()` is null. */
export function openAppliedState(options: AppliedStateOptions): OpenedState {
  try {
    const bytes = options.store.record();
    const record = bytes === null ? null : decodeAppliedRecord(bytes);
    return { ok: true, state: new AppliedState(options, record) };
  } catch (error) {
    return { ok: false, corruption: corruptionOf(error) };
  }
}

/** When a commit is due: a longer transaction makes a long stall (200,000 puts: a 61 MiB WAL, a 159 ms commit). */
export const commitPolicy: CommitPolicy = { entries: 10_000, bytes: 16 * 1024 * 1024, ms: 500 };

/** Whichever is reached first. */
export type CommitPolicy = { readonly entries: number; readonly bytes: number; readonly ms: number };

const nothing: AppliedRecord = {
  appliedIndex: 0,
  appliedTerm: 0,
  logTime: 0,
  clusterId: null,
  configuration: null,
  stateHash: new StateHash().toString(),
};

export class AppliedState {
  /** For the state machine: checked rows. It must change them only between two calls of `advance`. */
  readonly store: OrderedStore;
  readonly #checked: CheckedStore;
  readonly #inner: StateStore;
  readonly #hash: StateHash;
  #durable: AppliedRecord | null;
  #position: Omit<AppliedRecord, "stateHash">;
  #changed = false;
  #entries = 0;
  #bytes = 0;

  constructor(options: AppliedStateOptions, record: AppliedRecord | null) {
    this.#inner = options.store;
    this.#hash = StateHash.parse((record ?? nothing).stateHash);
    this.#checked = new CheckedStore(options.store, this.#hash, options.fatal ?? (() => {}));
    this.store = this.#checked;
    this.#durable = record;
    this.#position = record ?? nothing;
  }

  /** What the last commit made durable; null in a new store. Only up to here the log may ever be compacted. */
  record(): AppliedRecord | null {
    return this.#durable;
  }

  /** The last index that the rows reflect, durable or not. */
  get appliedIndex(): number {
    return this.#position.appliedIndex;
  }

  /** About what a commit would write now. */
  get owedBytes(): number {
    return diskBytes(this.#entries, this.#bytes);
  }

  /** The record as of now, durable or not. */
  applied(): AppliedRecord {
    return { ...this.#position, stateHash: this.hash() };
  }

  /** The store now reflects everything up to this entry. Call it once for every entry, in order, noops included. */
  advance(index: number, term: number, time: number): void {
    const { appliedIndex, clusterId, configuration } = this.#position;
    if (index !== appliedIndex + 1) throw new Error(`entry ${index} applied after entry ${appliedIndex}`);
    this.#position = { appliedIndex: index, appliedTerm: term, logTime: time, clusterId, configuration };
    this.#changed = true;
    this.#entries++;
    this.#bytes += this.#checked.takeWrittenBytes();
  }

  /** Whose state it is, and the configuration in force at the applied index; kept with the next commit. */
  adopt(clusterId: string | null, configuration: ConfigurationAt | null): void {
    this.#position = { ...this.#position, clusterId, configuration };
    this.#changed = true;
  }

  /** 16 hexadecimal digits, equal on every replica that applied the same entries. */
  hash(): string {
    return this.#hash.toString();
  }

  /** Whether a commit is due, `elapsedMs` after the last one. Never while nothing has changed since. */
  needsCommit(elapsedMs: number, policy: Partial<CommitPolicy> = {}): boolean {
    if (!this.#changed) return false;
    const { entries = commitPolicy.entries, bytes = commitPolicy.bytes, ms = commitPolicy.ms } = policy;
    return this.#entries >= entries || this.#bytes >= bytes || elapsedMs >= ms;
  }

  /**
   * Makes everything up to now durable. `done(error)` on any failure, after which the store is not to be used again: the
   * process must end. May call `done` before it returns; commits complete in order.
   */
  commit(done: (error: Error | null) => void): void {
    const record = this.applied();
    this.#changed = false;
    this.#entries = 0;
    this.#bytes = 0;
    this.#inner.commit(encodeAppliedRecord(record), (error) => {
      if (error === null) this.#durable = record;
      done(error);
    });
  }

  /**
   * Reads every row and compares the hash of all with the one kept: finds also a row that went missing, which no single
   * read can. Takes about 1 s for a million small rows; null = sound.
   */
  verify(): Corruption | null {
    try {
      const found = new StateHash();
      for (const [key, value] of this.store.scan({ start: new Uint8Array(0), end: null })) {
        found.add(hashRow(key, value));
      }
      if (found.toString() === this.hash()) return null;
      throw new CorruptStorage("its rows together are not those that were written");
    } catch (error) {
      return corruptionOf(error);
    }
  }

  /** Closes without committing. */
  close(): void {
    this.#inner.close();
  }
}

function corruptionOf(error: unknown): Corruption {
  const known = error instanceof CorruptStorage || error instanceof MalformedBytes ||
    error instanceof SyntaxError;
  if (!known) throw error;
  return { reason: `The applied state is corrupt: ${error.message}. ${mendState}` };
}
