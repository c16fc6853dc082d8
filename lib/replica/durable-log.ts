// The durable log: entries, hard state and identity over a raw table, with the checks that make its word worth a
// vote (design §4; Raft figure 2 "persistent state"; "Protocol-Aware Recovery", FAST'18).
//
// Why so much distrust: a crash can tear only what no commit acknowledged, and the table rolls that back. Anything else
// that is missing or changed was once acknowledged, and forgetting it breaks promises: a vote given twice, a committed
// entry lost. Two faults hide themselves from SQLite: a flipped bit in the middle of its WAL makes it silently drop that
// transaction *and all after it* (it takes them for a torn tail), and a flipped bit in a page returns a wrong row. So
//   - every row carries a CRC-32 chained to the row before: a changed, missing or exchanged row does not fit;
//   - every named value is sealed, and every transaction leaves a sequence record over all that is in force with it;
//   - the witness, another file, is told that record after each commit: a table behind its witness has forgotten.
// The witness is written after the commit, never before (it must not promise what may be rolled back), and without
// fsync: kill -9 keeps it, a power failure may lose or tear it. A missing or older one therefore proves nothing.
import { crc32 } from "../bytes/mod.ts";
import type { ConfigurationAt, Entry, HardState, LogReader, Position, RestoredState } from "../raft/mod.ts";
import { type Corruption, CorruptStorage } from "./corruption.ts";
import {
  type Checksum,
  decodeRow,
  encodeHardState,
  encodeRow,
  encodeSequence,
  encodeWitness,
  seal,
  sealOf,
  verifyRow,
} from "./log-codec.ts";
import { encodeConfigurations, identitySeal, type Judged, judgeLog, type Tail } from "./log-judge.ts";
import { encodeNode, type NodeRecord } from "./node-record.ts";
import type { LogRow, LogTable, WitnessFile } from "./ports.ts";

export type { Corruption } from "./corruption.ts";
export type { NodeRecord, PeerBoot } from "./node-record.ts";

export type DurableLogOptions = {
  readonly table: LogTable;
  readonly witness: WitnessFile;
  /** CRC-32; default the one of lib/bytes. */
  readonly checksum?: Checksum;
  /** Told before CorruptStorage is thrown by a read, or an invariant breaks: poison the replica, end the process. */
  readonly fatal?: (message: string) => void;
};

export type OpenedLog =
  | { readonly ok: true; readonly log: DurableLog }
  | { readonly ok: false; readonly corruption: Corruption };

/** Verifies everything. A brand-new table is fine: its `node()` is null. */
export function openDurableLog(options: DurableLogOptions): OpenedLog {
  const judged = judgeLog(options.table, options.witness, options.checksum ?? crc32);
  return judged.ok ? { ok: true, log: new DurableLog(options, judged.value) } : judged;
}

/** What one transaction is to make durable. */
export type LogAppend = {
  readonly hardState: HardState | null;
  /** Everything from entries[0].index on is cut off first. */
  readonly entries: readonly Entry[];
  readonly configurations: readonly ConfigurationAt[] | null;
  readonly node?: NodeRecord;
};

type Done = (error: Error | null) => void;

/** A transaction that was handed to the table and has not completed. */
type Outstanding = { readonly tails: readonly Tail[]; readonly dones: Done[] };

export class DurableLog implements LogReader {
  /** What was odd at opening but is no corruption, as sentences. */
  readonly notes: readonly string[];
  readonly #table: LogTable;
  readonly #witness: WitnessFile;
  readonly #checksum: Checksum;
  readonly #fatal: (message: string) => void;
  readonly #outstanding: Outstanding[] = [];
  #failed: Error | null = null;
  #node: NodeRecord | null;
  #hardState: HardState | null;
  #configurations: readonly ConfigurationAt[];
  #sequence: number;
  /** Seals of the named values as last handed to the table. */
  #seals: { hardState: number; node: number; configurations: number };
  /** The last entry that is durable, and the last that was handed to the table. */
  #durable: Tail;
  #submitted: Tail;

  constructor(options: DurableLogOptions, judged: Judged) {
    this.#table = options.table;
    this.#witness = options.witness;
    this.#checksum = options.checksum ?? crc32;
    this.#fatal = options.fatal ?? (() => {});
    this.notes = judged.notes;
    this.#node = judged.node;
    this.#hardState = judged.hardState;
    this.#configurations = judged.configurations;
    this.#sequence = judged.sequence;
    this.#seals = { ...judged.seals };
    this.#durable = judged.tail;
    this.#submitted = judged.tail;
  }

  /** The identity as last saved; null in a brand-new log. */
  node(): NodeRecord | null {
    return this.#node;
  }

  /** One durable transaction. `done` as in append. */
  saveNode(node: NodeRecord, done: Done): void {
    this.append({ hardState: null, entries: [], configurations: null, node }, done);
  }

  /** What a core starts with, but for lastApplied. Configurations are [] until the cluster has formed. */
  restored(): Omit<RestoredState, "lastApplied"> {
    return {
      hardState: this.#hardState ?? { currentTerm: 0, votedFor: null, withholdMs: 0 },
      last: this.last(),
      lastTime: this.#durable.time,
      configurations: this.#configurations,
    };
  }

  /** The last position that is durable. */
  last(): Position {
    return { index: this.#durable.index, term: this.#durable.term };
  }

  /** The number of the last transaction handed to the table. */
  sequence(): number {
    return this.#sequence;
  }

  /**
   * Makes all of the batch durable in one transaction; several may be outstanding, they complete in order. `done(error)`
   * on any failure, of this batch and of all later ones: after one failed fsync nothing that a disk says can be believed,
   * the process must end. May call `done` before it returns.
   */
  append(batch: LogAppend, done: Done): void {
    if (this.#failed !== null) return done(this.#failed);
    const { entries } = batch;
    const empty = entries.length === 0 && !batch.hardState && !batch.configurations && !batch.node;
    if (empty) return this.#afterOutstanding(done);

    const { rows, tails } = this.#chain(entries);
    const meta: (readonly [string, Uint8Array])[] = [];
    const put = (name: "hardState" | "node" | "configurations", body: Uint8Array) => {
      const sealed = seal(name, body, this.#checksum);
      this.#seals[name] = sealOf(sealed);
      meta.push([name, sealed]);
    };
    if (batch.hardState) {
      this.#hardState = batch.hardState;
      put("hardState", encodeHardState(batch.hardState));
    }
    if (batch.node) {
      this.#node = batch.node;
      put("node", encodeNode(batch.node));
    }
    if (batch.configurations) {
      this.#configurations = batch.configurations;
      put("configurations", encodeConfigurations(batch.configurations));
    }
    const first = entries[0];
    const cutFrom = first !== undefined && first.index <= this.#submitted.index ? first.index : null;
    this.#submitted = tails.at(-1) ?? this.#submitted;
    if (this.#submitted.index > 0 && this.#hardState === null) this.#broken("entries without a hard state");
    const { sequenceSeal, value } = this.#nextSequence();
    meta.push(["sequence", value]);
    const witness = encodeWitness({
      sequence: this.#sequence,
      sequenceSeal,
      lastIndex: this.#submitted.index,
      lastCrc: this.#submitted.crc,
      identity: identitySeal(this.#node, this.#checksum),
    }, this.#checksum);

    const outstanding: Outstanding = { tails, dones: [done] };
    this.#outstanding.push(outstanding);
    this.#table.commit({ cutFrom, rows, meta, dropTo: null }, (error) => {
      this.#completed(outstanding, witness, error);
    });
  }

  /** Durable entries from..to, verified again: a disk can go bad after the start. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] {
    try {
      let previousCrc: number | null = null;
      const rows = this.#table.rows(from, to, maxBytes);
      if (rows.length === 0) throw new CorruptStorage(`entry ${from} is missing`);
      return rows.map((row, at) => {
        if (row.index !== from + at) throw new CorruptStorage(`entry ${from + at} is missing`);
        const decoded = decodeRow(row, this.#checksum);
        if (previousCrc !== null && decoded.previousCrc !== previousCrc) {
          throw new CorruptStorage(`entry ${row.index} does not follow the entry before it`);
        }
        previousCrc = decoded.crc;
        return decoded.entry;
      });
    } catch (error) {
      throw this.#noticed(error);
    }
  }

  /** The term of a durable entry; 0 for index 0. */
  term(index: number): number {
    if (index === 0) return 0;
    return index === this.#durable.index ? this.#durable.term : this.#durableTail(index).term;
  }

  close(): void {
    this.#witness.close?.();
    this.#table.close();
  }

  /** Rows and their places, chained to what precedes them; a truncation takes the chain up again before the cut. */
  #chain(entries: readonly Entry[]): { rows: readonly LogRow[]; tails: readonly Tail[] } {
    const first = entries[0];
    if (first === undefined) return { rows: [], tails: [] };
    if (first.index < 1 || first.index > this.#submitted.index + 1) {
      this.#broken(`entry ${first.index} cannot follow entry ${this.#submitted.index}`);
    }
    let before = first.index === this.#submitted.index + 1 ? this.#submitted : this.#tailAt(first.index - 1);
    const rows: LogRow[] = [];
    const tails: Tail[] = [];
    for (const entry of entries) {
      if (entry.index !== before.index + 1) this.#broken(`entry ${entry.index} after entry ${before.index}`);
      if (entry.term < before.term) this.#broken(`the term falls from ${before.term} to ${entry.term}`);
      const { row, crc } = encodeRow(entry, before.crc, this.#checksum);
      rows.push(row);
      before = { index: entry.index, term: entry.term, time: entry.time, crc };
      tails.push(before);
    }
    return { rows, tails };
  }

  /** Place and checksum of an entry as of everything that was handed to the table. */
  #tailAt(index: number): Tail {
    if (index === 0) return { index: 0, term: 0, time: 0, crc: 0 };
    for (let at = this.#outstanding.length - 1; at >= 0; at--) {
      const tails = this.#outstanding[at]?.tails ?? [];
      const tail = tails[index - (tails[0]?.index ?? 0)];
      if (tail !== undefined) return tail;
    }
    return this.#durableTail(index);
  }

  #durableTail(index: number): Tail {
    try {
      const row = this.#table.rows(index, index, 0)[0];
      if (row === undefined) throw new CorruptStorage(`entry ${index} is missing`);
      const { term, time, crc } = verifyRow(row, this.#checksum);
      return { index, term, time, crc };
    } catch (error) {
      throw this.#noticed(error);
    }
  }

  #nextSequence(): { value: Uint8Array; sequenceSeal: number } {
    this.#sequence++;
    const body = encodeSequence({
      sequence: this.#sequence,
      lastIndex: this.#submitted.index,
      lastCrc: this.#submitted.crc,
      hardStateSeal: this.#seals.hardState,
      nodeSeal: this.#seals.node,
      configurationsSeal: this.#seals.configurations,
    });
    const value = seal("sequence", body, this.#checksum);
    return { value, sequenceSeal: sealOf(value) };
  }

  #completed(outstanding: Outstanding, witness: Uint8Array, error: Error | null): void {
    if (this.#failed === null && error === null) {
      if (this.#outstanding.shift() !== outstanding) this.#broken("the table completed commits out of order");
      this.#durable = outstanding.tails.at(-1) ?? this.#durable;
      error = this.#tellWitness(witness);
    }
    if (error !== null) this.#failed ??= error;
    for (const done of outstanding.dones) done(this.#failed);
  }

  #tellWitness(witness: Uint8Array): Error | null {
    try {
      this.#witness.write(witness);
      return null;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** An append of nothing still means "all before it is durable". */
  #afterOutstanding(done: Done): void {
    const last = this.#outstanding.at(-1);
    if (last === undefined) done(null);
    else last.dones.push(done);
  }

  #noticed(error: unknown): unknown {
    if (error instanceof CorruptStorage) this.#fatal(`the log is corrupt: ${error.message}`);
    return error;
  }

  #broken(message: string): never {
    this.#fatal(`durable log: ${message}`);
    throw new Error(`durable log: ${message}`);
  }
}
