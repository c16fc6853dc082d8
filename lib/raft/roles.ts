// Becoming follower, candidate and leader: the only places where role, term, vote and leader change (Raft figure 4).
import { members } from "./configuration.ts";
import type { EntryType } from "./entry.ts";
import type { ReplicaId } from "./identity.ts";
import { Progress } from "./progress.ts";
import { startRound } from "./read.ts";
import { forgetRounds } from "./staleness.ts";
import { type RaftState, RoundTimes } from "./state.ts";

/**
 * The election timeout is counted from now, drawn anew. A long draw is [1, 2) × electionMs (§9.3); a short one,
 * [¼, ¾) × electionMs, is for replicas that know of no leader and have just lost an election or never seen one.
 */
export function resetElectionTimer(raft: RaftState, draw: "long" | "short"): void {
  const { electionMs, random } = raft.options;
  raft.electionTimerStart = raft.now;
  raft.electionTimeout = electionMs * (draw === "long" ? 1 + random() : 0.25 + random() / 2);
}

/** Follows `leaderId` (null: nobody yet) in `term`; a newer term forgets the vote. Steps down from any role. */
export function becomeFollower(raft: RaftState, term: number, leaderId: ReplicaId | null): void {
  raft.check(term >= raft.currentTerm, () => `term ${term} is behind currentTerm`);
  if (term > raft.currentTerm) {
    raft.currentTerm = term;
    raft.votedFor = null;
    forgetRounds(raft);
    takeBackAcknowledgements(raft);
  }
  if (raft.leadership !== null) stepDown(raft);
  raft.role = "follower";
  raft.leaderId = leaderId;
  raft.votes.clear();
}

/**
 * What waits to be acknowledged to the leader of an older term may be cut off by the next one before it was ever durable, if
 * both were heard in one turn. Nobody counts on it any more: unsaid, it promises nothing.
 */
function takeBackAcknowledgements(raft: RaftState): void {
  raft.messages = raft.messages.filter(({ type, term }) =>
    type !== "AppendEntriesReply" || term === raft.currentTerm
  );
}

function stepDown(raft: RaftState): void {
  const { newReads, pendingReads } = raft.leading;
  for (const id of newReads) raft.readStates.push({ id, index: null });
  for (const { id } of pendingReads) raft.readStates.push({ id, index: null });
  raft.leadership = null;
  raft.freshCandidate = null;
  // Its own leadership is no contact that a successor would have to wait out.
  raft.lastLeaderContact = -Infinity;
  resetElectionTimer(raft, "long");
}

/** Asks who would vote for it; neither term nor vote changes (pre-vote, diss. §9.6). */
export function becomePreCandidate(raft: RaftState): void {
  raft.check(raft.role !== "leader", "a leader does not campaign");
  raft.role = "preCandidate";
  raft.leaderId = null;
  raft.campaignIsTransfer = false;
  raft.votes.clear();
  raft.votes.set(raft.id, true);
  resetElectionTimer(raft, "short");
}

/** A new term and a vote for itself (§5.2). */
export function becomeCandidate(raft: RaftState, transfer: boolean): void {
  raft.check(raft.role !== "leader", "a leader does not campaign");
  raft.currentTerm++;
  takeBackAcknowledgements(raft);
  raft.votedFor = raft.id;
  raft.role = "candidate";
  raft.leaderId = null;
  forgetRounds(raft);
  raft.campaignIsTransfer = transfer;
  raft.votes.clear();
  raft.votes.set(raft.id, true);
  resetElectionTimer(raft, "short");
}

/** Leads currentTerm, beginning with a no-op: only an entry of its own term can be committed by counting (§5.4.2, §8). */
export function becomeLeader(raft: RaftState): void {
  raft.check(raft.role === "candidate" && raft.votedFor === raft.id, "only a candidate becomes leader");
  raft.role = "leader";
  raft.leaderId = raft.id;
  raft.freshCandidate = null;
  const { commitIndex, log } = raft;
  raft.leadership = {
    since: raft.now,
    termStart: log.lastIndex + 1,
    timeBase: log.lastTime,
    progress: new Map(),
    round: 0,
    roundSentAt: -Infinity,
    newReads: [],
    pendingReads: [],
    transfer: null,
    leaseRevoked: false,
    uncommittedBytes: log.bytes(commitIndex + 1, log.lastIndex),
    unsettledSince: null,
    rounds: new RoundTimes(),
  };
  startRound(raft);
  syncProgress(raft);
  appendEntry(raft, "noop", new Uint8Array(0));
}

/** Keeps one Progress for each other member of the latest configuration. */
export function syncProgress(raft: RaftState): void {
  const { progress } = raft.leading;
  const wanted = new Set(members(raft.configuration));
  wanted.delete(raft.id);
  for (const replica of progress.keys()) if (!wanted.has(replica)) progress.delete(replica);
  for (const replica of wanted) {
    if (!progress.has(replica)) {
      progress.set(replica, new Progress(raft.log.lastIndex + 1, raft.options.retransmitMs));
    }
  }
}

/** Appends to the leader's own log, in its term and at its log time; returns the index. */
export function appendEntry(raft: RaftState, type: EntryType, data: Uint8Array): number {
  const leadership = raft.leading;
  const index = raft.log.lastIndex + 1;
  const time = Math.max(raft.log.lastTime, leadership.timeBase + Math.floor(raft.now - leadership.since));
  raft.log.append({ index, term: raft.currentTerm, time, type, data });
  leadership.uncommittedBytes += raft.log.bytes(index, index);
  leadership.unsettledSince ??= raft.now;
  return index;
}
