// Messages between replicas as plain JSON objects, for networks that carry JSON: one field each, bytes as base64. Who
// sends to whom stands on the envelope of the adapter's protocol.
import type { Entry, ReplicaId } from "../raft/mod.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import { isObject, type JsonObject } from "./json.ts";

export type Wire = JsonObject & { readonly type: string };

/** How one field is written, and read: undefined = it is not what it should be. */
type Field = { readonly write: (value: unknown) => unknown; readonly read: (value: unknown) => unknown };

const same = (value: unknown) => value;
const number: Field = { write: same, read: (value) => Number.isFinite(value) ? value : undefined };
const boolean: Field = { write: same, read: (value) => typeof value === "boolean" ? value : undefined };
const numberOrNull: Field = { write: same, read: (value) => value === null ? null : number.read(value) };
const bytes: Field = {
  write: (value) => value instanceof Uint8Array ? value.toBase64() : undefined,
  read: readBytes,
};
const entries: Field = {
  write: (value) => (value as readonly Entry[]).map(writeEntry),
  read: (value) => {
    if (!Array.isArray(value)) return undefined;
    const read = value.map(readEntry);
    return read.includes(undefined) ? undefined : read;
  },
};
const outcome: Field = {
  write: same,
  read: (value) => {
    if (!isObject(value)) return undefined;
    const { type, reason, index, term } = value;
    if (type === "refused") return typeof reason === "string" ? value : undefined;
    return type === "appended" && Number.isSafeInteger(index) && Number.isSafeInteger(term)
      ? value
      : undefined;
  },
};

/**
 * What travels. Formation, gossip and membership do not: an adapter's first configuration is given, and stays. Everything
 * that is not listed here is refused when it is sent.
 */
const shapes: { readonly [type: string]: Readonly<Record<string, Field>> } = {
  RequestVote: {
    term: number,
    preVote: boolean,
    lastLogIndex: number,
    lastLogTerm: number,
    transfer: boolean,
  },
  RequestVoteReply: { term: number, preVote: boolean, granted: boolean },
  AppendEntries: {
    term: number,
    prevLogIndex: number,
    prevLogTerm: number,
    leaderCommit: number,
    round: number,
    echo: number,
    confirmedAgeMs: number,
    withholdMs: number,
    entries,
  },
  AppendEntriesReply: {
    term: number,
    success: boolean,
    matchIndex: number,
    prevLogIndex: number,
    hintIndex: number,
    hintTerm: number,
    round: number,
  },
  TimeoutNow: { term: number },
  Forward: { requestId: number, command: bytes, timeoutMs: number },
  ForwardReply: { requestId: number, outcome },
  ReadIndex: { requestId: number },
  ReadIndexReply: { requestId: number, index: numberOrNull },
};

/** Messages of the core name their ends themselves; the others are told apart by the link. */
const ofTheCore = /^(RequestVote|AppendEntries|TimeoutNow)/;

/** null = such messages do not travel here. */
export function encodeWire(message: PeerMessage): Wire | null {
  const shape = shapeOf(message.type);
  if (shape === null) return null;
  const wire: Record<string, unknown> & { type: string } = { type: message.type };
  for (const [name, field] of Object.entries(shape)) wire[name] = field.write(Reflect.get(message, name));
  return wire;
}

/** Whether a message of this type is one between replicas. */
export function isWire(message: JsonObject): message is Wire {
  return typeof message["type"] === "string" && shapeOf(message["type"]) !== null;
}

/** null = a field is missing or not what it should be. */
export function decodeWire(from: ReplicaId, to: ReplicaId, wire: Wire): PeerMessage | null {
  const shape = shapeOf(wire.type);
  if (shape === null) return null;
  const message: Record<string, unknown> = { type: wire.type };
  for (const [name, field] of Object.entries(shape)) {
    const value = field.read(wire[name]);
    if (value === undefined) return null;
    message[name] = value;
  }
  // Every field of the type was read and judged just now.
  return (ofTheCore.test(wire.type) ? { ...message, from, to } : message) as unknown as PeerMessage;
}

function shapeOf(type: string): Readonly<Record<string, Field>> | null {
  return Object.hasOwn(shapes, type) ? shapes[type] ?? null : null;
}

function writeEntry({ index, term, time, type, data }: Entry): unknown {
  return [index, term, time, type, data.toBase64()];
}

function readEntry(value: unknown): Entry | undefined {
  if (!Array.isArray(value)) return undefined;
  const [index, term, time, type, text]: unknown[] = value;
  const data = readBytes(text);
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(term) || !Number.isFinite(time)) return undefined;
  if (type !== "command" && type !== "noop" && type !== "configuration" || data === undefined) {
    return undefined;
  }
  return { index: Number(index), term: Number(term), time: Number(time), type, data };
}

function readBytes(value: unknown): Uint8Array | undefined {
  try {
    return typeof value === "string" ? Uint8Array.fromBase64(value) : undefined;
  } catch {
    return undefined;
  }
}
