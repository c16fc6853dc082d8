// The record beside the applied state: how far it is, whose it is, and the hash of all its rows.
import { ByteReader, ByteWriter, crc32 } from "../bytes/mod.ts";
import type { ConfigurationAt } from "../raft/mod.ts";
import { CorruptStorage } from "./corruption.ts";
import { seal, unseal } from "./log-codec.ts";
import { decodeConfigurations, encodeConfigurations } from "./log-judge.ts";

export type AppliedRecord = {
  /** The last log index that the state reflects; 0 = nothing applied. */
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  /** Log time of that entry, ms. */
  readonly logTime: number;
  /** null until it was adopted. */
  readonly clusterId: string | null;
  /** The configuration in force at appliedIndex; null until one was adopted. */
  readonly configuration: ConfigurationAt | null;
  /** 16 hexadecimal digits over all rows, independent of their order of writing. */
  readonly stateHash: string;
};

const format = 1;

export function encodeAppliedRecord(record: AppliedRecord): Uint8Array {
  const body = new ByteWriter().u8(format)
    .varint(record.appliedIndex).varint(record.appliedTerm).f64(record.logTime)
    .boolean(record.clusterId !== null).text(record.clusterId ?? "")
    .bytes(encodeConfigurations(record.configuration === null ? [] : [record.configuration]))
    .text(record.stateHash).finish();
  return seal("applied", body, crc32);
}

/** Throws CorruptStorage or MalformedBytes on anything else than what encodeAppliedRecord made. */
export function decodeAppliedRecord(bytes: Uint8Array): AppliedRecord {
  const reader = new ByteReader(unseal("applied", bytes, crc32));
  const found = reader.u8();
  if (found !== format) {
    throw new CorruptStorage(`the state is of format ${found}, this version knows ${format}`);
  }
  const appliedIndex = reader.varint();
  const appliedTerm = reader.varint();
  const logTime = reader.f64();
  const adopted = reader.boolean();
  const clusterId = reader.text();
  const configuration = decodeConfigurations(reader.bytes())[0] ?? null;
  const stateHash = reader.text();
  reader.end();
  return {
    appliedIndex,
    appliedTerm,
    logTime,
    clusterId: adopted ? clusterId : null,
    configuration,
    stateHash,
  };
}
