// The bytes of the core's messages (lib/raft/messages.ts). Counts and indexes are varints, times are doubles.
import { type ByteReader, type ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import {
  type AppendEntries,
  type AppendEntriesReply,
  decodeConfiguration,
  type Entry,
  type EntryType,
  type ReplicaId,
  type RequestVote,
  type RequestVoteReply,
  type TimeoutNow,
} from "../raft/mod.ts";
import { type Budget, spend } from "./frame-budget.ts";

/** Longer than any election timeout that the command line takes. */
const maxWithholdMs = 3_600_000;

export function writeRequestVote(writer: ByteWriter, message: RequestVote): void {
  writer.varint(message.term).u8((message.preVote ? 1 : 0) | (message.transfer ? 2 : 0))
    .varint(message.lastLogIndex).varint(message.lastLogTerm);
}

export function readRequestVote(reader: ByteReader, from: ReplicaId, to: ReplicaId): RequestVote {
  const term = reader.varint();
  const flags = readFlags(reader);
  const lastLogIndex = reader.varint();
  const lastLogTerm = reader.varint();
  return {
    type: "RequestVote",
    from,
    to,
    term,
    preVote: (flags & 1) !== 0,
    lastLogIndex,
    lastLogTerm,
    transfer: (flags & 2) !== 0,
  };
}

export function writeRequestVoteReply(writer: ByteWriter, message: RequestVoteReply): void {
  writer.varint(message.term).u8((message.preVote ? 1 : 0) | (message.granted ? 2 : 0));
}

export function readRequestVoteReply(reader: ByteReader, from: ReplicaId, to: ReplicaId): RequestVoteReply {
  const term = reader.varint();
  const flags = readFlags(reader);
  return {
    type: "RequestVoteReply",
    from,
    to,
    term,
    preVote: (flags & 1) !== 0,
    granted: (flags & 2) !== 0,
  };
}

export function writeAppendEntries(writer: ByteWriter, message: AppendEntries): void {
  const { prevLogIndex, entries } = message;
  writer.varint(message.term).varint(prevLogIndex).varint(message.prevLogTerm).varint(message.leaderCommit)
    .varint(message.round).varint(message.echo).f64(message.confirmedAgeMs).f64(message.withholdMs)
    .varint(entries.length);
  let index = prevLogIndex;
  for (const entry of entries) {
    index += 1;
    // Indexes do not travel: they follow from prevLogIndex.
    if (entry.index !== index) throw new RangeError(`entry ${entry.index} where ${index} must stand`);
    writer.u8(codeOfEntryType[entry.type]).varint(entry.term).f64(entry.time).bytes(entry.data);
  }
}

/** Entries follow each other, and their terms never fall and are never ahead of their leader's (figure 2). */
export function readAppendEntries(
  reader: ByteReader,
  from: ReplicaId,
  to: ReplicaId,
  budget: Budget,
): AppendEntries {
  const term = reader.varint();
  const prevLogIndex = reader.varint();
  const prevLogTerm = reader.varint();
  const leaderCommit = reader.varint();
  const round = reader.varint();
  const echo = reader.varint();
  const confirmedAgeMs = reader.f64();
  if (!(confirmedAgeMs >= -1 && confirmedAgeMs < Infinity)) {
    throw new MalformedBytes(`an age of ${confirmedAgeMs} ms`);
  }
  const withholdMs = reader.f64();
  if (!(withholdMs >= 0 && withholdMs <= maxWithholdMs)) {
    throw new MalformedBytes(`votes to withhold for ${withholdMs} ms`);
  }
  const count = reader.varint();
  spend(budget, count);
  if (!Number.isSafeInteger(prevLogIndex + count)) throw new MalformedBytes("an index above 2^53 − 1");
  const entries: Entry[] = [];
  let lastTerm = prevLogTerm;
  for (let index = prevLogIndex + 1; index <= prevLogIndex + count; index++) {
    const entry = readEntry(reader, index);
    if (entry.term < lastTerm) throw new MalformedBytes(`the term falls from ${lastTerm} to ${entry.term}`);
    lastTerm = entry.term;
    entries.push(entry);
  }
  if (lastTerm > term) throw new MalformedBytes(`an entry of term ${lastTerm} from a leader of term ${term}`);
  return {
    type: "AppendEntries",
    from,
    to,
    term,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit,
    round,
    echo,
    confirmedAgeMs,
    withholdMs,
  };
}

export function writeAppendEntriesReply(writer: ByteWriter, message: AppendEntriesReply): void {
  writer.varint(message.term).boolean(message.success).varint(message.matchIndex).varint(message.prevLogIndex)
    .varint(message.hintIndex).varint(message.hintTerm).varint(message.round);
}

export function readAppendEntriesReply(
  reader: ByteReader,
  from: ReplicaId,
  to: ReplicaId,
): AppendEntriesReply {
  return {
    type: "AppendEntriesReply",
    from,
    to,
    term: reader.varint(),
    success: reader.boolean(),
    matchIndex: reader.varint(),
    prevLogIndex: reader.varint(),
    hintIndex: reader.varint(),
    hintTerm: reader.varint(),
    round: reader.varint(),
  };
}

export function writeTimeoutNow(writer: ByteWriter, message: TimeoutNow): void {
  writer.varint(message.term);
}

export function readTimeoutNow(reader: ByteReader, from: ReplicaId, to: ReplicaId): TimeoutNow {
  return { type: "TimeoutNow", from, to, term: reader.varint() };
}

const codeOfEntryType = { command: 0, noop: 1, configuration: 2 } as const satisfies Record<
  EntryType,
  number
>;
const entryTypes: readonly EntryType[] = ["command", "noop", "configuration"];

function readEntry(reader: ByteReader, index: number): Entry {
  const code = reader.u8();
  const type = entryTypes[code];
  if (type === undefined) throw new MalformedBytes(`an entry of unknown type ${code}`);
  const term = reader.varint();
  const time = reader.f64();
  if (!(time >= 0 && time < Infinity)) throw new MalformedBytes(`a log time of ${time} ms`);
  const data = reader.bytes();
  if (type === "configuration") checkConfiguration(data);
  return { index, term, time, type, data };
}

/** The core goes by a configuration as soon as it is appended: what is none must not get that far. */
function checkConfiguration(data: Uint8Array): void {
  let voters: readonly ReplicaId[];
  try {
    ({ voters } = decodeConfiguration(data));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MalformedBytes(`a configuration that is none: ${why}`);
  }
  if (voters.length === 0) throw new MalformedBytes("a configuration without voters");
}

function readFlags(reader: ByteReader): number {
  const flags = reader.u8();
  if (flags > 3) throw new MalformedBytes(`unknown flags ${flags}`);
  return flags;
}
