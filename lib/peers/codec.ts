// A frame: one byte of format version, then messages one after the other, each with a byte for its type. The sender's and
// the receiver's ids do not travel: the link knows them, and a peer cannot speak for another.
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import type { ReplicaId } from "../raft/mod.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import * as raft from "./codec-raft.ts";
import * as replica from "./codec-replica.ts";
import { type Budget, maxFrameItems, spend } from "./frame-budget.ts";

const frameFormat = 1;

// Numbers on the wire: never reused for another meaning.
const tags = {
  RequestVote: 1,
  RequestVoteReply: 2,
  AppendEntries: 3,
  AppendEntriesReply: 4,
  TimeoutNow: 5,
  Forward: 16,
  ForwardReply: 17,
  ReadIndex: 18,
  ReadIndexReply: 19,
  Formation: 20,
  Gossip: 21,
  Membership: 22,
} as const satisfies Record<PeerMessage["type"], number>;

const typeOfTag: readonly (PeerMessage["type"] | undefined)[] = Object.entries(tags).reduce<
  PeerMessage["type"][]
>((types, [type, tag]) => {
  types[tag] = type as PeerMessage["type"];
  return types;
}, []);

/** One frame of all messages. The writer behind it is made anew; links keep theirs and use the two functions below. */
export function encodeFrame(messages: readonly PeerMessage[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(1024);
  beginFrame(writer);
  for (const message of messages) writeMessage(writer, message);
  return writer.finish();
}

export function beginFrame(writer: ByteWriter): void {
  writer.u8(frameFormat);
}

/** Appends a message to a frame. A number that is no whole number where one must be is a broken invariant and throws RangeError. */
export function writeMessage(writer: ByteWriter, message: PeerMessage): void {
  writer.u8(tags[message.type]);
  switch (message.type) {
    case "RequestVote":
      return raft.writeRequestVote(writer, message);
    case "RequestVoteReply":
      return raft.writeRequestVoteReply(writer, message);
    case "AppendEntries":
      return raft.writeAppendEntries(writer, message);
    case "AppendEntriesReply":
      return raft.writeAppendEntriesReply(writer, message);
    case "TimeoutNow":
      return raft.writeTimeoutNow(writer, message);
    case "Forward":
      return replica.writeForward(writer, message);
    case "ForwardReply":
      return replica.writeForwardReply(writer, message);
    case "ReadIndex":
      return replica.writeReadIndex(writer, message);
    case "ReadIndexReply":
      return replica.writeReadIndexReply(writer, message);
    case "Formation":
      return replica.writeFormation(writer, message);
    case "Gossip":
      return replica.writeGossip(writer, message);
    case "Membership":
      return replica.writeMembership(writer, message);
    default:
      throw new TypeError(`no codec for ${(message satisfies never as PeerMessage).type}`);
  }
}

/** All messages of a frame that `from` sent to `to`; byte fields are views into `bytes`. Throws MalformedBytes on anything else. */
export function decodeFrame(bytes: Uint8Array, from: ReplicaId, to: ReplicaId): PeerMessage[] {
  const reader = new ByteReader(bytes);
  const format = reader.u8();
  if (format !== frameFormat) throw new MalformedBytes(`a frame of format ${format}, not ${frameFormat}`);
  const messages: PeerMessage[] = [];
  const budget = { items: maxFrameItems };
  while (reader.remaining > 0) {
    spend(budget, 1);
    messages.push(readMessage(reader, from, to, budget));
  }
  return messages;
}

function readMessage(reader: ByteReader, from: ReplicaId, to: ReplicaId, budget: Budget): PeerMessage {
  const tag = reader.u8();
  const type = typeOfTag[tag];
  switch (type) {
    case "RequestVote":
      return raft.readRequestVote(reader, from, to);
    case "RequestVoteReply":
      return raft.readRequestVoteReply(reader, from, to);
    case "AppendEntries":
      return raft.readAppendEntries(reader, from, to, budget);
    case "AppendEntriesReply":
      return raft.readAppendEntriesReply(reader, from, to);
    case "TimeoutNow":
      return raft.readTimeoutNow(reader, from, to);
    case "Forward":
      return replica.readForward(reader);
    case "ForwardReply":
      return replica.readForwardReply(reader);
    case "ReadIndex":
      return replica.readReadIndex(reader);
    case "ReadIndexReply":
      return replica.readReadIndexReply(reader);
    case "Formation":
      return replica.readFormation(reader, budget);
    case "Gossip":
      return replica.readGossip(reader);
    case "Membership":
      return replica.readMembership(reader);
    case undefined:
      throw new MalformedBytes(`a message of unknown type ${tag}`);
    default:
      throw new TypeError(`no codec for ${type satisfies never}`);
  }
}

/** What a message counts towards maxFrameItems. */
export function frameItems(message: PeerMessage): number {
  if (message.type === "AppendEntries") return 1 + message.entries.length;
  if (message.type === "Formation") {
    return 1 + message.expected.length + (message.record?.length ?? 0) + message.agreed.length;
  }
  return 1;
}
