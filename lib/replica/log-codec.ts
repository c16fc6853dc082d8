// The bytes of the log file: entries under a chained CRC-32, sealed named values, the witness.
//
//   row         crc u32 · crc of the row before u32 · type u8 · index · term · time f64 · data
//               crc(n) = CRC-32 of everything from `type` on, seeded with crc(n−1): that of row 0 is 0
//   named value crc u32 · body             the name is part of what is checked
//   witness     crc u32 · fixed-width body (written in place, so that its length never changes)
import { ByteReader, ByteWriter, MalformedBytes, putU32, u32At } from "../bytes/mod.ts";
import type { Entry, EntryType, HardState } from "../raft/mod.ts";
import { CorruptStorage } from "./corruption.ts";
import type { LogRow } from "./ports.ts";

/** CRC-32 of `bytes` after what gave `seed`; storage may inject a native one. */
export type Checksum = (bytes: Uint8Array, seed: number) => number;

const rowHeader = 8;
const typeCodes: Readonly<Record<EntryType, number>> = { command: 1, noop: 2, configuration: 3 };
const typeOfCode: readonly (EntryType | undefined)[] = [undefined, "command", "noop", "configuration"];
const writer = new ByteWriter(4096);
const encoder = new TextEncoder();
const scratchBytes = new Uint8Array(8);
const scratch = new DataView(scratchBytes.buffer);

export function encodeRow(
  entry: Entry,
  previousCrc: number,
  checksum: Checksum,
): { readonly row: LogRow; readonly crc: number } {
  const bytes = writer.reset()
    .u32(0).u32(previousCrc)
    .u8(typeCodes[entry.type]).varint(entry.index).varint(entry.term).f64(entry.time)
    .raw(entry.data).finish();
  const crc = checksum(bytes.subarray(rowHeader), previousCrc);
  putU32(bytes, 0, crc);
  return { row: { index: entry.index, bytes }, crc };
}

/** A row without its data. */
export type RowHead = {
  readonly type: EntryType;
  readonly term: number;
  readonly time: number;
  readonly crc: number;
  readonly previousCrc: number;
  /** Where the data begin. */
  readonly dataAt: number;
};

/** Type, two varints of a byte, time. */
const smallestRow = rowHeader + 11;

/**
 * Throws CorruptStorage unless the row is exactly what encodeRow made for this index. All of a log goes through here at
 * each start, so it makes no more views into the bytes than the checksum needs.
 */
export function verifyRow({ index, bytes }: LogRow, checksum: Checksum): RowHead {
  if (bytes.byteLength < smallestRow) throw new CorruptStorage(`entry ${index} is cut short`);
  const crc = u32At(bytes, 0);
  const previousCrc = u32At(bytes, 4);
  if (checksum(bytes.subarray(rowHeader), previousCrc) !== crc) {
    throw new CorruptStorage(`entry ${index} does not match its checksum`);
  }
  const type = typeOfCode[bytes[rowHeader]!];
  if (type === undefined) {
    throw new CorruptStorage(`entry ${index} is of a kind that this version does not know`);
  }
  let at = rowHeader + 1;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1;; scale *= 0x80) {
      const byte = bytes[at++];
      if (byte === undefined) throw new CorruptStorage(`entry ${index} is malformed`);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  if (varint() !== index) throw new CorruptStorage(`entry ${index} holds the bytes of another entry`);
  const term = varint();
  if (at + 8 > bytes.byteLength) throw new CorruptStorage(`entry ${index} is malformed`);
  for (let byte = 0; byte < 8; byte++) scratchBytes[byte] = bytes[at + byte]!;
  return { type, term, time: scratch.getFloat64(0, true), crc, previousCrc, dataAt: at + 8 };
}

export function decodeRow(
  row: LogRow,
  checksum: Checksum,
): { readonly entry: Entry; readonly crc: number; readonly previousCrc: number } {
  const { type, term, time, crc, previousCrc, dataAt } = verifyRow(row, checksum);
  return {
    entry: { index: row.index, term, time, type, data: row.bytes.subarray(dataAt) },
    crc,
    previousCrc,
  };
}

/** A value with its checksum in front. */
export function seal(name: string, body: Uint8Array, checksum: Checksum): Uint8Array {
  const bytes = new Uint8Array(4 + body.byteLength);
  bytes.set(body, 4);
  putU32(bytes, 0, checksum(body, checksum(encoder.encode(name), 0)));
  return bytes;
}

/** The body of a sealed value; throws CorruptStorage when it is not what was sealed under this name. */
export function unseal(name: string, bytes: Uint8Array, checksum: Checksum): Uint8Array {
  const body = bytes.subarray(4);
  if (bytes.byteLength < 4 || checksum(body, checksum(encoder.encode(name), 0)) !== sealOf(bytes)) {
    throw new CorruptStorage(`the stored value "${name}" does not match its checksum`);
  }
  return body;
}

/** The checksum of a sealed value; 0 for one that is not there. */
export function sealOf(bytes: Uint8Array | null): number {
  return bytes === null ? 0 : new ByteReader(bytes).u32();
}

export function encodeHardState({ currentTerm, votedFor, withholdMs }: HardState): Uint8Array {
  return new ByteWriter(64).varint(currentTerm).boolean(votedFor !== null).text(votedFor ?? "").f64(
    withholdMs,
  )
    .finish();
}

export function decodeHardState(body: Uint8Array): HardState {
  const reader = new ByteReader(body);
  const currentTerm = reader.varint();
  const voted = reader.boolean();
  const votedFor = reader.text();
  const withholdMs = reader.f64();
  reader.end();
  return { currentTerm, votedFor: voted ? votedFor : null, withholdMs };
}

/** What every transaction leaves behind: its number, and the checksums of everything that is in force with it. */
export type SequenceRecord = {
  /** Counts the transactions of this file from 1. */
  readonly sequence: number;
  readonly lastIndex: number;
  readonly lastCrc: number;
  /** Seals of the other named values, 0 where there is none. */
  readonly hardStateSeal: number;
  readonly nodeSeal: number;
  readonly configurationsSeal: number;
};

const logFormat = 1;

export function encodeSequence(record: SequenceRecord): Uint8Array {
  return new ByteWriter(48).u8(logFormat).varint(record.sequence).varint(record.lastIndex).u32(record.lastCrc)
    .u32(record.hardStateSeal).u32(record.nodeSeal).u32(record.configurationsSeal).finish();
}

export function decodeSequence(body: Uint8Array): SequenceRecord {
  const reader = new ByteReader(body);
  const format = reader.u8();
  if (format !== logFormat) {
    throw new CorruptStorage(`the log is of format ${format}, this version knows ${logFormat}`);
  }
  const record = {
    sequence: reader.varint(),
    lastIndex: reader.varint(),
    lastCrc: reader.u32(),
    hardStateSeal: reader.u32(),
    nodeSeal: reader.u32(),
    configurationsSeal: reader.u32(),
  };
  reader.end();
  return record;
}

/** What the witness saw become durable last. */
export type WitnessRecord = {
  readonly sequence: number;
  readonly sequenceSeal: number;
  readonly lastIndex: number;
  readonly lastCrc: number;
  /** Checksum of `id~incarnation`; 0 before the node has an identity. */
  readonly identity: number;
};

export function encodeWitness(record: WitnessRecord, checksum: Checksum): Uint8Array {
  const body = new ByteWriter(32).f64(record.sequence).u32(record.sequenceSeal)
    .f64(record.lastIndex).u32(record.lastCrc).u32(record.identity).finish();
  return seal("witness", body, checksum);
}

/** null when it is torn or no witness: it was never fsynced, so that is no corruption. */
export function decodeWitness(bytes: Uint8Array, checksum: Checksum): WitnessRecord | null {
  try {
    const reader = new ByteReader(unseal("witness", bytes, checksum));
    const record = {
      sequence: reader.f64(),
      sequenceSeal: reader.u32(),
      lastIndex: reader.f64(),
      lastCrc: reader.u32(),
      identity: reader.u32(),
    };
    reader.end();
    return record;
  } catch (error) {
    if (error instanceof CorruptStorage || error instanceof MalformedBytes) return null;
    throw error;
  }
}
