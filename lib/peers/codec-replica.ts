// The bytes of the replica's own messages (lib/replica/peer-messages.ts).
import { type ByteReader, type ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import type {
  Formation,
  Forward,
  ForwardReply,
  Gossip,
  MembershipPayload,
  ReadIndex,
  ReadIndexReply,
  RefusalReason,
} from "../replica/peer-messages.ts";
import { type Budget, spend } from "./frame-budget.ts";

// Numbers on the wire: never reused for another meaning.
const codeOfReason = {
  no_leader: 1,
  deadline: 2,
  overloaded: 3,
  disk_full: 4,
  stopping: 5,
  not_ready: 6,
  removed: 7,
  unknown_command: 8,
} as const satisfies Record<RefusalReason, number>;

const reasonOfCode = new Map<number, RefusalReason>(
  Object.entries(codeOfReason).map(([reason, code]) => [code, reason as RefusalReason]),
);

export function writeForward(writer: ByteWriter, message: Forward): void {
  writer.varint(message.requestId).f64(message.timeoutMs).bytes(message.command);
}

export function readForward(reader: ByteReader): Forward {
  const requestId = reader.varint();
  const timeoutMs = reader.f64();
  if (!Number.isFinite(timeoutMs)) throw new MalformedBytes(`a timeout of ${timeoutMs} ms`);
  return { type: "Forward", requestId, command: reader.bytes(), timeoutMs };
}

export function writeForwardReply(writer: ByteWriter, { requestId, outcome }: ForwardReply): void {
  writer.varint(requestId);
  if (outcome.type === "appended") writer.u8(0).varint(outcome.index).varint(outcome.term);
  else writer.u8(codeOfReason[outcome.reason]);
}

export function readForwardReply(reader: ByteReader): ForwardReply {
  const requestId = reader.varint();
  const code = reader.u8();
  if (code === 0) {
    const outcome = { type: "appended", index: reader.varint(), term: reader.varint() } as const;
    return { type: "ForwardReply", requestId, outcome };
  }
  const reason = reasonOfCode.get(code);
  if (reason === undefined) throw new MalformedBytes(`an unknown reason to refuse: ${code}`);
  return { type: "ForwardReply", requestId, outcome: { type: "refused", reason } };
}

export function writeReadIndex(writer: ByteWriter, message: ReadIndex): void {
  writer.varint(message.requestId);
}

export function readReadIndex(reader: ByteReader): ReadIndex {
  return { type: "ReadIndex", requestId: reader.varint() };
}

export function writeReadIndexReply(writer: ByteWriter, { requestId, index }: ReadIndexReply): void {
  writer.varint(requestId).boolean(index !== null);
  if (index !== null) writer.varint(index);
}

export function readReadIndexReply(reader: ByteReader): ReadIndexReply {
  const requestId = reader.varint();
  const index = reader.boolean() ? reader.varint() : null;
  return { type: "ReadIndexReply", requestId, index };
}

export function writeFormation(writer: ByteWriter, message: Formation): void {
  const { expected, record, attempt, agreed, started } = message;
  writer.boolean(started).boolean(record !== null).varint(attempt);
  writeTexts(writer, expected);
  if (record !== null) writeTexts(writer, record);
  writer.varint(agreed.length);
  for (const attempt of agreed) writer.varint(attempt);
}

export function readFormation(reader: ByteReader, budget: Budget): Formation {
  const started = reader.boolean();
  const recorded = reader.boolean();
  const attempt = reader.varint();
  const expected = readTexts(reader, budget);
  const record = recorded ? readTexts(reader, budget) : null;
  const count = reader.varint();
  spend(budget, count);
  const agreed: number[] = [];
  for (let at = 0; at < count; at++) agreed.push(reader.varint());
  return { type: "Formation", expected, record, attempt, agreed, started };
}

export function writeGossip(writer: ByteWriter, message: Gossip): void {
  writer.bytes(message.payload);
}

export function readGossip(reader: ByteReader): Gossip {
  return { type: "Gossip", payload: reader.bytes() };
}

export function writeMembership(writer: ByteWriter, message: MembershipPayload): void {
  writer.bytes(message.payload);
}

export function readMembership(reader: ByteReader): MembershipPayload {
  return { type: "Membership", payload: reader.bytes() };
}

function writeTexts(writer: ByteWriter, texts: readonly string[]): void {
  writer.varint(texts.length);
  for (const text of texts) writer.text(text);
}

function readTexts(reader: ByteReader, budget: Budget): string[] {
  const count = reader.varint();
  spend(budget, count);
  const texts: string[] = [];
  for (let at = 0; at < count; at++) texts.push(reader.text());
  return texts;
}
