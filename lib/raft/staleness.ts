// How old a follower's state may be. The leader says how long ago its last confirmed round was sent, and which of our
// echoes it had received; we know when we sent that echo, which was before the message left. So, on our own clock:
// everything that completed before (sending of that echo − that age) is within leaderCommit. No clock is compared.
import { hasCommitInTerm } from "./commit.ts";
import { confirmedSentAt } from "./read.ts";
import type { AppendEntries } from "./messages.ts";
import type { RaftState } from "./state.ts";

const maxReplies = 64;

/** In a new term rounds are counted anew, also by the same leader; all of its answers will be of this life. */
export function forgetRounds(raft: RaftState): void {
  raft.roundReplies = [];
  raft.roundFloor = 0;
}

/**
 * Remembers when a round of this term was first answered. A restarted replica does not know what it had answered in
 * the term before: rounds that were under way then, at least the first that it hears, are not its own.
 */
export function noteRoundReply(raft: RaftState, round: number): void {
  const starting = raft.now - raft.startedAt < raft.options.electionMs;
  if (raft.roundFloor === null || raft.roundFloor > 0 && starting) {
    raft.roundFloor = Math.max(raft.roundFloor ?? 0, round);
  }
  const replies = raft.roundReplies;
  const latest = replies.at(-1);
  if (round === 0 || latest !== undefined && round <= latest.round) return;
  replies.push({ round, at: raft.now });
  if (replies.length > maxReplies) replies.shift();
}

/** Takes in what an accepted message says of its age. */
export function noteFreshness(raft: RaftState, message: AppendEntries): void {
  if (message.confirmedAgeMs < 0 || message.echo <= (raft.roundFloor ?? 0)) return;
  const echoed = raft.roundReplies.find((reply) => reply.round === message.echo);
  if (echoed === undefined) return;
  const asOf = echoed.at - message.confirmedAgeMs * (1 + raft.options.clockDrift);
  // A candidate that still waits for its entries is kept: under load it would otherwise never be reached.
  raft.freshCandidate ??= { commitIndex: message.leaderCommit, asOf };
  settleFreshness(raft);
}

/** Called whenever more is applied. */
export function settleFreshness(raft: RaftState): void {
  if (raft.leadership !== null) {
    if (raft.lastApplied === raft.commitIndex && hasCommitInTerm(raft)) {
      raft.freshAsOf = Math.max(raft.freshAsOf, confirmedSentAt(raft));
    }
    return;
  }
  const candidate = raft.freshCandidate;
  if (candidate === null || raft.lastApplied < candidate.commitIndex) return;
  raft.freshAsOf = Math.max(raft.freshAsOf, candidate.asOf);
  raft.freshCandidate = null;
}
