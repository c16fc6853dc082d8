// The follower's half of log replication (Raft figure 2, "AppendEntries RPC, receiver implementation").
import { decodeConfiguration } from "./configuration.ts";
import type { Entry } from "./entry.ts";
import type { AppendEntries } from "./messages.ts";
import { becomeFollower, resetElectionTimer } from "./roles.ts";
import { noteFreshness, noteRoundReply } from "./staleness.ts";
import type { RaftState } from "./state.ts";

export function handleAppendEntries(raft: RaftState, message: AppendEntries): void {
  if (message.term < raft.currentTerm) {
    answer(raft, message, { success: false, matchIndex: 0, hintIndex: 0, hintTerm: 0, round: 0 });
    return;
  }
  raft.check(
    message.term > raft.currentTerm || raft.role !== "leader",
    () => `${message.from} leads term ${message.term} too (election safety, figure 3)`,
  );
  if (!isWellFormed(message)) return;
  if (message.term > raft.currentTerm || raft.role !== "follower" || raft.leaderId !== message.from) {
    becomeFollower(raft, message.term, message.from);
  }
  raft.lastLeaderContact = raft.now;
  raft.withholdMs = message.withholdMs;
  resetElectionTimer(raft, "long");
  noteRoundReply(raft, message.round);

  if (!raft.log.has({ index: message.prevLogIndex, term: message.prevLogTerm })) {
    const hint = raft.log.findNotAfter(message.prevLogIndex, message.prevLogTerm);
    const { round } = message;
    answer(raft, message, {
      success: false,
      matchIndex: 0,
      hintIndex: hint.index,
      hintTerm: hint.term,
      round,
    });
    return;
  }
  takeOver(raft, message.entries);
  const matchIndex = message.prevLogIndex + message.entries.length;
  // No further than what this very message has shown to agree: a longer tail of ours may be somebody else's.
  raft.commitIndex = Math.max(raft.commitIndex, Math.min(message.leaderCommit, matchIndex));
  noteFreshness(raft, message);
  answer(raft, message, { success: true, matchIndex, hintIndex: 0, hintTerm: 0, round: message.round });
}

/** Entries follow each other and prevLogIndex, with terms that do not fall and are not ahead of the leader's. */
function isWellFormed({ prevLogIndex, prevLogTerm, entries, term }: AppendEntries): boolean {
  let index = prevLogIndex;
  let lastTerm = prevLogTerm;
  for (const entry of entries) {
    if (entry.index !== ++index || entry.term < lastTerm || entry.term > term) return false;
    lastTerm = entry.term;
  }
  return lastTerm <= term;
}

/** Steps 3 and 4: cuts off only from the first entry that really conflicts; a late message never shortens a good log. */
function takeOver(raft: RaftState, entries: readonly Entry[]): void {
  const { log, configurations } = raft;
  const firstNew = entries.findIndex((entry) => !log.has(entry));
  if (firstNew < 0) return;
  const missing = entries.slice(firstNew);
  const from = missing[0]?.index ?? 0;
  if (from <= log.lastIndex) {
    raft.check(from > raft.commitIndex, () => `would cut off ${from}, committed up to ${raft.commitIndex}`);
    log.truncateFrom(from);
    configurations.truncateFrom(from);
  }
  for (const entry of missing) {
    log.append(entry);
    if (entry.type === "configuration") configurations.append(entry.index, decodeConfiguration(entry.data));
  }
}

type Answer = {
  readonly success: boolean;
  readonly matchIndex: number;
  readonly hintIndex: number;
  readonly hintTerm: number;
  readonly round: number;
};

function answer(raft: RaftState, request: AppendEntries, reply: Answer): void {
  const { success, matchIndex, hintIndex, hintTerm, round } = reply;
  raft.send({
    type: "AppendEntriesReply",
    from: raft.id,
    to: request.from,
    term: raft.currentTerm,
    prevLogIndex: request.prevLogIndex,
    success,
    matchIndex,
    hintIndex,
    hintTerm,
    round,
  });
}
