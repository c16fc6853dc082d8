// Random peer messages of every kind, as a replica may send them.
import { encodeConfiguration, type Entry, type EntryType } from "../../lib/raft/mod.ts";
import type { PeerMessage, RefusalReason } from "../../lib/replica/peer-messages.ts";

export const from = "n1~abc";
export const to = "n2~def";

const entryTypes: readonly EntryType[] = ["command", "noop", "configuration"];
const reasons: readonly RefusalReason[] = [
  ...[
    "no_leader",
    "deadline",
    "overloaded",
    "disk_full",
    "stopping",
    "not_ready",
    "removed",
    "unknown_command",
  ] as const,
];

export function randomMessage(random: () => number): PeerMessage {
  const below = (bound: number) => Math.floor(random() * bound);
  /** Small ones, and ones that need all the bits. */
  const number = () => random() < 0.2 ? below(Number.MAX_SAFE_INTEGER) : below(300);
  const flag = () => random() < 0.5;
  const bytes = () =>
    Uint8Array.from({ length: random() < 0.1 ? below(5_000) : below(20) }, () => below(256));
  const names = () => Array.from({ length: below(5) }, (_, at) => `n${at}~${below(1e6).toString(36)}é`);
  const configuration = () =>
    encodeConfiguration({ voters: [from, ...names()], outgoing: names(), learners: names() });
  const pick = <T>(list: readonly T[]) => list[below(list.length)] as T;
  const envelope = { from, to, term: number() };

  const makers: { readonly [T in PeerMessage["type"]]: () => Extract<PeerMessage, { type: T }> } = {
    RequestVote: () => ({
      ...{ type: "RequestVote", ...envelope, preVote: flag(), lastLogIndex: number() },
      ...{ lastLogTerm: number(), transfer: flag() },
    }),
    RequestVoteReply: () => ({ type: "RequestVoteReply", ...envelope, preVote: flag(), granted: flag() }),
    AppendEntries: () => {
      const prevLogIndex = below(2 ** 52);
      const prevLogTerm = Math.min(number(), 2 ** 52);
      let term = prevLogTerm;
      const entries = Array.from({ length: below(6) }, (_, at): Entry => {
        const type = pick(entryTypes);
        term += below(2);
        return {
          ...{ index: prevLogIndex + 1 + at, term, time: random() * 1e12, type },
          data: type === "configuration" ? configuration() : bytes(),
        };
      });
      return {
        ...{ type: "AppendEntries", ...envelope, term: term + below(3), prevLogIndex, prevLogTerm, entries },
        ...{ leaderCommit: number(), round: number(), echo: number() },
        confirmedAgeMs: flag() ? -1 : random() * 1e4,
        withholdMs: random() * 1e4,
      };
    },
    AppendEntriesReply: () => ({
      ...{ type: "AppendEntriesReply", ...envelope, success: flag(), matchIndex: number() },
      ...{ prevLogIndex: number(), hintIndex: number(), hintTerm: number(), round: number() },
    }),
    TimeoutNow: () => ({ type: "TimeoutNow", ...envelope }),
    Forward: () => ({ type: "Forward", requestId: number(), command: bytes(), timeoutMs: random() * 6e4 }),
    ForwardReply: () => ({
      ...{ type: "ForwardReply", requestId: number() },
      outcome: flag()
        ? { type: "appended", index: number(), term: number() }
        : { type: "refused", reason: pick(reasons) },
    }),
    ReadIndex: () => ({ type: "ReadIndex", requestId: number() }),
    ReadIndexReply: () => ({
      type: "ReadIndexReply",
      requestId: number(),
      index: flag() ? null : number(),
    }),
    Formation: () => ({
      ...{ type: "Formation", expected: names(), record: flag() ? null : names(), attempt: below(2 ** 48) },
      ...{ agreed: Array.from({ length: below(4) }, () => below(2 ** 48)), started: flag() },
    }),
    Gossip: () => ({ type: "Gossip", payload: bytes() }),
    Membership: () => ({ type: "Membership", payload: bytes() }),
  };
  return pick(Object.values(makers))();
}

export function heartbeat(round: number, sender = from, receiver = to): PeerMessage {
  return {
    ...{ type: "AppendEntries", from: sender, to: receiver, term: 1, prevLogIndex: 0, prevLogTerm: 0 },
    ...{ entries: [], leaderCommit: 0, round, echo: 0, confirmedAgeMs: -1, withholdMs: 500 },
  };
}

export function append(index: number, size: number, sender = from, receiver = to): PeerMessage {
  const data = new Uint8Array(size).fill(index % 251);
  return {
    ...{
      type: "AppendEntries",
      from: sender,
      to: receiver,
      term: 1,
      prevLogIndex: index - 1,
      prevLogTerm: 1,
    },
    entries: [{ index, term: 1, time: 5, type: "command", data }],
    ...{ leaderCommit: 0, round: 0, echo: 0, confirmedAgeMs: -1, withholdMs: 500 },
  };
}
