// Leader election (Raft §5.2, §5.4.1) with pre-vote (diss. §9.6) and votes that a live leader's followers withhold (§6,
// diss. §4.2.3), so that a replica that was away disturbs nobody.
import { allVoters } from "./configuration.ts";
import type { Position } from "./entry.ts";
import { voteResult } from "./quorum.ts";
import {
  becomeCandidate,
  becomeFollower,
  becomeLeader,
  becomePreCandidate,
  resetElectionTimer,
} from "./roles.ts";
import type { RequestVote, RequestVoteReply } from "./messages.ts";
import type { RaftState } from "./state.ts";

/**
 * On each tick of a replica that does not lead: campaigns when no leader was heard for the drawn time. However short that
 * was, it gives nobody a vote, itself included, on which a live leader's lease may rest.
 */
export function maybeCampaign(raft: RaftState): void {
  if (raft.now - raft.electionTimerStart < raft.electionTimeout || withholdsVotes(raft)) {
    maybeAskAgain(raft);
    return;
  }
  if (!raft.mayCampaign() || raft.diskStalled()) {
    resetElectionTimer(raft, "long");
    return;
  }
  becomePreCandidate(raft);
  requestVotes(raft);
}

/** The leader has asked for it: no pre-vote, and contact with that leader is no reason to refuse (diss. §3.10). */
export function campaignForTransfer(raft: RaftState): void {
  becomeCandidate(raft, true);
  requestVotes(raft);
}

function requestVotes(raft: RaftState): void {
  const { thrifty, heartbeatMs } = raft.options;
  // Only where messages are known to be lost: elsewhere a new campaign is soon enough.
  raft.askAgain = { at: thrifty ? raft.now + heartbeatMs / 8 : Infinity, afterMs: heartbeatMs / 4 };
  askUndecided(raft);
  countVotes(raft);
}

/** Losses must not cost a whole campaign (§5.1 "retry"); whom nobody answers is alone, and asks nobody again. */
function maybeAskAgain(raft: RaftState): void {
  const { askAgain, role, votes, now } = raft;
  if (role !== "preCandidate" && role !== "candidate" || votes.size < 2 || now < askAgain.at) return;
  raft.askAgain = { at: now + askAgain.afterMs, afterMs: askAgain.afterMs * 2 };
  askUndecided(raft);
}

function askUndecided(raft: RaftState): void {
  const preVote = raft.role === "preCandidate";
  for (const to of allVoters(raft.configuration)) {
    if (raft.votes.has(to)) continue;
    raft.send({
      type: "RequestVote",
      from: raft.id,
      to,
      term: preVote ? raft.currentTerm + 1 : raft.currentTerm,
      preVote,
      lastLogIndex: raft.log.last.index,
      lastLogTerm: raft.log.last.term,
      transfer: raft.campaignIsTransfer,
    });
  }
}

function countVotes(raft: RaftState): void {
  const result = voteResult(raft.configuration, raft.votes);
  if (result === "pending") return;
  if (result === "lost") {
    becomeFollower(raft, raft.currentTerm, null);
    // The next draw is short: everybody whose vote mattered has just said that there is no leader to wait for.
    resetElectionTimer(raft, "short");
  } else if (raft.role === "preCandidate") {
    becomeCandidate(raft, false);
    requestVotes(raft);
  } else {
    becomeLeader(raft);
  }
}

/** Answers a request of either kind. */
export function handleRequestVote(raft: RaftState, message: RequestVote): void {
  if ((raft.role === "leader" || withholdsVotes(raft)) && !message.transfer) {
    // A real request is not even answered: its higher term must not reach the leader through us.
    if (message.preVote) reply(raft, message, false);
    return;
  }
  if (message.preVote) handlePreVote(raft, message);
  else handleVote(raft, message);
}

/** For as long as that leader counts on it after contact with one (or its own start, having forgotten such contact). */
function withholdsVotes(raft: RaftState): boolean {
  return raft.now - raft.lastLeaderContact < raft.withholdMs;
}

function handlePreVote(raft: RaftState, message: RequestVote): void {
  const mine = raft.log.last;
  const theirs = { index: message.lastLogIndex, term: message.lastLogTerm };
  let granted = message.term > raft.currentTerm && compareLogs(theirs, mine) >= 0;
  if (granted && raft.role === "preCandidate" && compareLogs(theirs, mine) === 0) {
    // Two pre-candidates with equal logs: the larger id yields to the smaller, for as long as an answer takes.
    if (message.from < raft.id) {
      becomeFollower(raft, raft.currentTerm, null);
      resetElectionTimer(raft, "long");
    } else {
      granted = raft.now - raft.electionTimerStart > raft.options.heartbeatMs;
    }
  }
  reply(raft, message, granted);
}

function handleVote(raft: RaftState, message: RequestVote): void {
  if (message.term > raft.currentTerm) {
    becomeFollower(raft, message.term, null);
    // Not reset as if a leader were alive: if nobody wins, somebody must try again soon.
  }
  const granted = message.term === raft.currentTerm &&
    (raft.votedFor === null || raft.votedFor === message.from) &&
    raft.leaderId === null &&
    compareLogs({ index: message.lastLogIndex, term: message.lastLogTerm }, raft.log.last) >= 0;
  if (granted) {
    raft.votedFor = message.from;
    resetElectionTimer(raft, "long");
  }
  reply(raft, message, granted);
}

/** §5.4.1: the later last term is more up to date; with equal terms the longer log. */
function compareLogs(a: Position, b: Position): number {
  return a.term - b.term || a.index - b.index;
}

function reply(raft: RaftState, request: RequestVote, granted: boolean): void {
  raft.send({
    type: "RequestVoteReply",
    from: raft.id,
    to: request.from,
    term: granted && request.preVote ? request.term : raft.currentTerm,
    preVote: request.preVote,
    granted,
  });
}

/**
 * Counts a vote once per voter: duplicates and strangers change nothing. Answers to a campaign that is over mean nothing:
 * a late refusal must not carry its term into the life of a leader that was elected since.
 */
export function handleRequestVoteReply(raft: RaftState, message: RequestVoteReply): void {
  if (raft.role !== "preCandidate" && raft.role !== "candidate") return;
  if (message.preVote && message.granted) {
    if (raft.role !== "preCandidate" || message.term !== raft.currentTerm + 1) return;
  } else {
    if (message.term > raft.currentTerm) {
      becomeFollower(raft, message.term, null);
      resetElectionTimer(raft, "short");
      return;
    }
    const expected = message.preVote ? "preCandidate" : "candidate";
    if (raft.role !== expected || message.term !== raft.currentTerm && !message.preVote) return;
  }
  if (raft.votes.has(message.from) && raft.votes.get(message.from) === true) return;
  raft.votes.set(message.from, message.granted);
  countVotes(raft);
}
