// What can be asked of the key-value state machine, and its bytes in the log.
//
//   kind (u8) · options (varint, a bit each; none exists yet) · keyspace (u8) · what belongs to the kind
//
// The kinds and option bits that this version does not know (later: ttl, lease, idempotency key, transactions) are
// UnknownCommand: skipping one would make this replica differ from the others for ever.
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";

/** What must hold of the key for the command to be carried out. All of a list must. */
export type Condition =
  /** It exists, and was changed last at this revision (If-Match: "rev"). */
  | { readonly type: "revision"; readonly revision: number }
  /** It exists, and has exactly this value (compare and swap). */
  | { readonly type: "value"; readonly value: Uint8Array }
  /** If-Match: * */
  | { readonly type: "exists" }
  /** If-None-Match: * */
  | { readonly type: "absent" };

export type PutCommand = {
  readonly type: "put";
  /** 0 to 255; 0 is that of HTTP (HTTP_KEYSPACE). */
  readonly keyspace: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly contentType: string;
  readonly conditions: readonly Condition[];
};

export type DeleteCommand = {
  readonly type: "delete";
  readonly keyspace: number;
  readonly key: Uint8Array;
  readonly conditions: readonly Condition[];
};

/** All keys that begin with `prefix`, or none where they are more than MAX_KEYS_PER_COMMAND. */
export type DeletePrefixCommand = {
  readonly type: "deletePrefix";
  readonly keyspace: number;
  readonly prefix: Uint8Array;
};

export type KvCommand = PutCommand | DeleteCommand | DeletePrefixCommand;

/** The bound on the work of one entry. The same on all nodes: part of the state machine, not configuration. */
export const MAX_KEYS_PER_COMMAND = 10_000;

/** A committed command that this version cannot carry out: the node must stop, and be given a newer version. */
export class UnknownCommand extends Error {
  override name = "UnknownCommand";
}

const KIND_PUT = 1;
const KIND_DELETE = 2;
const KIND_DELETE_PREFIX = 3;

const CONDITION_REVISION = 1;
const CONDITION_VALUE = 2;
const CONDITION_EXISTS = 3;
const CONDITION_ABSENT = 4;

const NO_OPTIONS = 0;

export function encodeCommand(command: KvCommand): Uint8Array<ArrayBuffer> {
  const { keyspace } = command;
  if (!Number.isInteger(keyspace) || keyspace < 0 || keyspace > 255) {
    throw new RangeError(`not a keyspace: ${keyspace}`);
  }
  switch (command.type) {
    case "put": {
      const writer = new ByteWriter(command.value.byteLength + command.key.byteLength + 128);
      writer.u8(KIND_PUT).varint(NO_OPTIONS).u8(keyspace).bytes(command.key);
      writeConditions(writer, command.conditions);
      return writer.text(command.contentType).bytes(command.value).finish();
    }
    case "delete": {
      const writer = new ByteWriter().u8(KIND_DELETE).varint(NO_OPTIONS).u8(keyspace).bytes(command.key);
      writeConditions(writer, command.conditions);
      return writer.finish();
    }
    case "deletePrefix":
      return new ByteWriter().u8(KIND_DELETE_PREFIX).varint(NO_OPTIONS).u8(keyspace).bytes(command.prefix)
        .finish();
  }
}

/** Views into `bytes`, not copies. Throws UnknownCommand, or MalformedBytes where they are no command at all. */
export function decodeCommand(bytes: Uint8Array): KvCommand {
  const reader = new ByteReader(bytes);
  const kind = reader.u8();
  if (kind < KIND_PUT || kind > KIND_DELETE_PREFIX) throw new UnknownCommand(`a command of kind ${kind}`);
  const options = reader.varint();
  if (options !== NO_OPTIONS) throw new UnknownCommand(`a command of kind ${kind} with options ${options}`);
  const keyspace = reader.u8();
  const command = readBody(reader, kind, keyspace);
  reader.end();
  return command;
}

/** Whether decodeCommand reads it. All of it is looked at: a third of a microsecond, and nothing is copied. */
export function isCommand(bytes: Uint8Array): boolean {
  try {
    decodeCommand(bytes);
    return true;
  } catch (error) {
    if (error instanceof UnknownCommand || error instanceof MalformedBytes) return false;
    throw error;
  }
}

function readBody(reader: ByteReader, kind: number, keyspace: number): KvCommand {
  switch (kind) {
    case KIND_PUT: {
      const key = reader.bytes();
      const conditions = readConditions(reader);
      const contentType = reader.text();
      return { type: "put", keyspace, key, value: reader.bytes(), contentType, conditions };
    }
    case KIND_DELETE:
      return { type: "delete", keyspace, key: reader.bytes(), conditions: readConditions(reader) };
    default:
      return { type: "deletePrefix", keyspace, prefix: reader.bytes() };
  }
}

function writeConditions(writer: ByteWriter, conditions: readonly Condition[]): void {
  writer.varint(conditions.length);
  for (const condition of conditions) {
    switch (condition.type) {
      case "revision":
        writer.u8(CONDITION_REVISION).varint(condition.revision);
        break;
      case "value":
        writer.u8(CONDITION_VALUE).bytes(condition.value);
        break;
      case "exists":
        writer.u8(CONDITION_EXISTS);
        break;
      case "absent":
        writer.u8(CONDITION_ABSENT);
        break;
    }
  }
}

function readConditions(reader: ByteReader): readonly Condition[] {
  const count = reader.varint();
  if (count > reader.remaining) throw new MalformedBytes(`${count} conditions in ${reader.remaining} bytes`);
  return Array.from({ length: count }, () => readCondition(reader));
}

function readCondition(reader: ByteReader): Condition {
  const type = reader.u8();
  switch (type) {
    case CONDITION_REVISION:
      return { type: "revision", revision: reader.varint() };
    case CONDITION_VALUE:
      return { type: "value", value: reader.bytes() };
    case CONDITION_EXISTS:
      return { type: "exists" };
    case CONDITION_ABSENT:
      return { type: "absent" };
    default:
      throw new UnknownCommand(`a condition of type ${type}`);
  }
}
