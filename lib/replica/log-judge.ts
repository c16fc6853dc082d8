// Judges a log at opening: reads every row and every named value and compares them with each other and with the
// witness. The reasons for each rule stand in durable-log.ts.
import { MalformedBytes } from "../bytes/mod.ts";
import {
  type ConfigurationAt,
  decodeConfiguration,
  encodeConfiguration,
  type HardState,
} from "../raft/mod.ts";
import { type Corruption, CorruptStorage, mendLog } from "./corruption.ts";
import {
  type Checksum,
  decodeHardState,
  decodeSequence,
  decodeWitness,
  sealOf,
  type SequenceRecord,
  unseal,
  verifyRow,
  type WitnessRecord,
} from "./log-codec.ts";
import { decodeNode, type NodeRecord, replicaOf } from "./node-record.ts";
import type { LogTable, WitnessFile } from "./ports.ts";

/** An entry's place, its log time, and the checksum of the chain up to it. */
export type Tail = {
  readonly index: number;
  readonly term: number;
  readonly time: number;
  readonly crc: number;
};

/** All that a sound log holds beside its rows. */
export type Judged = {
  readonly node: NodeRecord | null;
  readonly hardState: HardState | null;
  readonly configurations: readonly ConfigurationAt[];
  /** 0 in a brand-new table. */
  readonly sequence: number;
  readonly seals: { readonly hardState: number; readonly node: number; readonly configurations: number };
  readonly tail: Tail;
  readonly notes: readonly string[];
};

const chunkBytes = 4 * 1024 * 1024;

export function judgeLog(
  table: LogTable,
  witness: WitnessFile,
  checksum: Checksum,
): { readonly ok: true; readonly value: Judged } | { readonly ok: false; readonly corruption: Corruption } {
  try {
    return { ok: true, value: judge(table, witness, checksum) };
  } catch (error) {
    // MalformedBytes and SyntaxError: under a checksum that fits, bytes that make no sense.
    const known = error instanceof CorruptStorage || error instanceof MalformedBytes ||
      error instanceof SyntaxError;
    if (!known) throw error;
    return { ok: false, corruption: { reason: `The log is corrupt: ${error.message}. ${mendLog}` } };
  }
}

function judge(table: LogTable, witness: WitnessFile, checksum: Checksum): Judged {
  const notes: string[] = [];
  const seen = readWitness(witness, checksum, notes);
  const sealedSequence = table.meta("sequence");
  if (sealedSequence === null) return judgeEmpty(table, seen, notes);

  const sequence = decodeSequence(unseal("sequence", sealedSequence, checksum));
  const value = (name: string, sealInForce: number): Uint8Array | null => {
    const bytes = table.meta(name);
    if (sealOf(bytes) !== sealInForce) {
      throw new CorruptStorage(`the stored value "${name}" is not the one that was written last`);
    }
    return bytes === null ? null : unseal(name, bytes, checksum);
  };
  const hardStateBody = value("hardState", sequence.hardStateSeal);
  const nodeBody = value("node", sequence.nodeSeal);
  const configurationsBody = value("configurations", sequence.configurationsSeal);
  const hardState = hardStateBody === null ? null : decodeHardState(hardStateBody);
  const node = nodeBody === null ? null : decodeNode(nodeBody);

  const tail = judgeRows(table, sequence, checksum);
  if (tail.index > 0 && hardState === null) throw new CorruptStorage("there are entries but no hard state");
  if (hardState !== null && tail.term > hardState.currentTerm) {
    throw new CorruptStorage(
      `the last entry is of term ${tail.term}, later than the current term ${hardState.currentTerm}`,
    );
  }
  if (seen !== null) judgeWitness(seen, sequence, sealOf(sealedSequence), identitySeal(node, checksum));
  return {
    node,
    hardState,
    configurations: configurationsBody === null ? [] : decodeConfigurations(configurationsBody),
    sequence: sequence.sequence,
    seals: {
      hardState: sequence.hardStateSeal,
      node: sequence.nodeSeal,
      configurations: sequence.configurationsSeal,
    },
    tail,
    notes,
  };
}

function judgeEmpty(table: LogTable, seen: WitnessRecord | null, notes: readonly string[]): Judged {
  if (table.bounds() !== null) throw new CorruptStorage("there are entries but no sequence number");
  if (["hardState", "node", "configurations"].some((name) => table.meta(name) !== null)) {
    throw new CorruptStorage("there are stored values but no sequence number");
  }
  if (seen !== null) {
    throw new CorruptStorage(
      `the log is empty, but the witness has seen ${seen.sequence} transactions of it`,
    );
  }
  return {
    node: null,
    hardState: null,
    configurations: [],
    sequence: 0,
    seals: { hardState: 0, node: 0, configurations: 0 },
    tail: { index: 0, term: 0, time: 0, crc: 0 },
    notes,
  };
}

function judgeRows(table: LogTable, sequence: SequenceRecord, checksum: Checksum): Tail {
  let index = 0;
  let term = 0;
  let time = 0;
  let crc = 0;
  const bounds = table.bounds();
  const last = bounds?.last ?? 0;
  while (index < last) {
    const rows = table.rows(index + 1, last, chunkBytes);
    if (rows.length === 0) throw new CorruptStorage(`entry ${index + 1} is missing`);
    for (const row of rows) {
      if (row.index !== index + 1) throw new CorruptStorage(`entry ${index + 1} is missing`);
      const head = verifyRow(row, checksum);
      if (head.previousCrc !== crc) {
        throw new CorruptStorage(`entry ${row.index} does not follow the entry before it`);
      }
      if (head.term < term) throw new CorruptStorage(`the term falls at entry ${row.index}`);
      index = row.index;
      term = head.term;
      time = head.time;
      crc = head.crc;
    }
  }
  if (bounds !== null && bounds.first !== 1) {
    throw new CorruptStorage(`there is an entry ${bounds.first} before the first`);
  }
  if (index !== sequence.lastIndex || crc !== sequence.lastCrc) {
    throw new CorruptStorage(
      `the entries end at ${index}, those written last ended at ${sequence.lastIndex} with another checksum`,
    );
  }
  return { index, term, time, crc };
}

function readWitness(witness: WitnessFile, checksum: Checksum, notes: string[]): WitnessRecord | null {
  const bytes = witness.read();
  if (bytes === null) {
    notes.push("there is no witness beside the log: a new folder, or it was lost with the power");
    return null;
  }
  const seen = decodeWitness(bytes, checksum);
  if (seen === null) notes.push("the witness is torn and was not used: the power failed, or it was damaged");
  return seen;
}

function judgeWitness(seen: WitnessRecord, table: SequenceRecord, tableSeal: number, identity: number): void {
  if (seen.sequence > table.sequence) {
    throw new CorruptStorage(
      `it has forgotten what was durable: the witness has seen transaction ${seen.sequence} (entries up to ` +
        `${seen.lastIndex}), the log ends with ${table.sequence}`,
    );
  }
  if (seen.identity !== 0 && seen.identity !== identity) {
    throw new CorruptStorage("the witness beside it belongs to the log of another replica");
  }
  const same = seen.sequenceSeal === tableSeal && seen.lastIndex === table.lastIndex &&
    seen.lastCrc === table.lastCrc;
  if (seen.sequence === table.sequence && !same) {
    throw new CorruptStorage(`its transaction ${table.sequence} is not the one that the witness has seen`);
  }
}

/** A checksum of who the node is; 0 for nobody yet. */
export function identitySeal(node: NodeRecord | null, checksum: Checksum): number {
  return node === null ? 0 : checksum(new TextEncoder().encode(replicaOf(node)), 0);
}

export function encodeConfigurations(configurations: readonly ConfigurationAt[]): Uint8Array {
  const decoder = new TextDecoder();
  const list = configurations.map(({ index, configuration }) => ({
    index,
    configuration: decoder.decode(encodeConfiguration(configuration)),
  }));
  return new TextEncoder().encode(JSON.stringify(list));
}

/** Throws a SyntaxError on anything else than what encodeConfigurations made. */
export function decodeConfigurations(bytes: Uint8Array): readonly ConfigurationAt[] {
  const list: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (!Array.isArray(list)) throw new SyntaxError("not a list of configurations");
  const encoder = new TextEncoder();
  return list.map((item: unknown) => {
    const object = typeof item === "object" && item !== null ? item : {};
    const index: unknown = Reflect.get(object, "index");
    const text: unknown = Reflect.get(object, "configuration");
    if (typeof index !== "number" || typeof text !== "string") {
      throw new SyntaxError("not a configuration at an index");
    }
    return { index, configuration: decodeConfiguration(encoder.encode(text)) };
  });
}
