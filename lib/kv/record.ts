// What the store keeps under a key. The store's keys are: table (u8) · keyspace (u8) · the key, so that the tables of
// later features (leases, idempotency keys) lie beside the records and each keyspace is one range.
import { ByteReader, ByteWriter, concatBytes, MalformedBytes } from "../bytes/mod.ts";

export type KvRecord = {
  readonly value: Uint8Array;
  readonly contentType: string;
  /** Log index of the last change. */
  readonly revision: number;
  /** Log index at which the key came to be, this time: a delete in between begins anew. */
  readonly createRevision: number;
  /** 1 when created, one more with each change. */
  readonly version: number;
};

const TABLE_RECORDS = 1;
const PREFIX_BYTES = 2;
/** The first byte of a record; a record with more to it (an expiry, a lease) gets another. */
const FORMAT = 1;

export function storeKey(keyspace: number, key: Uint8Array): Uint8Array {
  return concatBytes([new Uint8Array([TABLE_RECORDS, keyspace]), key]);
}

/** The key inside its keyspace: a view. */
export function keyOfStoreKey(stored: Uint8Array): Uint8Array {
  return stored.subarray(PREFIX_BYTES);
}

export function encodeRecord(record: KvRecord): Uint8Array<ArrayBuffer> {
  return new ByteWriter(record.value.byteLength + 64).u8(FORMAT).varint(record.revision)
    .varint(record.createRevision).varint(record.version).text(record.contentType).raw(record.value).finish();
}

/** `value` is a view into `bytes`. Throws MalformedBytes. */
export function decodeRecord(bytes: Uint8Array): KvRecord {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== FORMAT) throw new MalformedBytes(`a record of format ${format}`);
  const revision = reader.varint();
  const createRevision = reader.varint();
  const version = reader.varint();
  const contentType = reader.text();
  return { value: reader.raw(reader.remaining), contentType, revision, createRevision, version };
}
