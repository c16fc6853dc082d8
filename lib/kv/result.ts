// How a command ended, and its bytes: what apply gives to whoever proposed it.
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";

export type KvResult =
  | {
    readonly type: "put";
    /** There was no such key before. */
    readonly created: boolean;
    /** The log index of this command. */
    readonly revision: number;
    /** The revision at which the key came to be, this time. */
    readonly createRevision: number;
    /** 1 when created, one more with each change. */
    readonly version: number;
  }
  /** Of `delete` (0 or 1 keys) and `deletePrefix`. `revision` is the log index of the command, also when nothing was there. */
  | { readonly type: "delete"; readonly deleted: number; readonly revision: number }
  /** Nothing was done. `current` is the revision of the key; null = there is no such key. */
  | { readonly type: "precondition_failed"; readonly current: number | null }
  /** Nothing was done: the prefix has more than `limit` keys. */
  | { readonly type: "too_many"; readonly limit: number };

const KIND_PUT = 1;
const KIND_DELETE = 2;
const KIND_PRECONDITION_FAILED = 3;
const KIND_TOO_MANY = 4;

export function encodeResult(result: KvResult): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(40);
  switch (result.type) {
    case "put":
      return writer.u8(KIND_PUT).boolean(result.created).varint(result.revision).varint(result.createRevision)
        .varint(result.version).finish();
    case "delete":
      return writer.u8(KIND_DELETE).varint(result.deleted).varint(result.revision).finish();
    case "precondition_failed":
      // Log indexes begin with 1, so that 0 is free to say "no such key".
      return writer.u8(KIND_PRECONDITION_FAILED).varint(result.current ?? 0).finish();
    case "too_many":
      return writer.u8(KIND_TOO_MANY).varint(result.limit).finish();
  }
}

/** Throws MalformedBytes for what `encodeResult` did not make. */
export function decodeResult(bytes: Uint8Array): KvResult {
  const reader = new ByteReader(bytes);
  const result = read(reader);
  reader.end();
  return result;
}

function read(reader: ByteReader): KvResult {
  const kind = reader.u8();
  switch (kind) {
    case KIND_PUT: {
      const created = reader.boolean();
      const revision = reader.varint();
      const createRevision = reader.varint();
      return { type: "put", created, revision, createRevision, version: reader.varint() };
    }
    case KIND_DELETE: {
      const deleted = reader.varint();
      return { type: "delete", deleted, revision: reader.varint() };
    }
    case KIND_PRECONDITION_FAILED:
      return { type: "precondition_failed", current: reader.varint() || null };
    case KIND_TOO_MANY:
      return { type: "too_many", limit: reader.varint() };
    default:
      throw new MalformedBytes(`a result of kind ${kind}`);
  }
}
