// What a leader may believe without asking (diss. §6.4.1): it leads for as long as its voters withhold their votes,
// counted from the sending of the round that a quorum echoed; and it steps down when no quorum answers (check-quorum).
import { hasCommitInTerm } from "./commit.ts";
import { confirmedSentAt, startRound } from "./read.ts";
import { becomeFollower } from "./roles.ts";
import type { RaftState } from "./state.ts";

/** Until when lease reads are safe on the host's monotonic clock, ms; −Infinity = not at all. */
export function leaseUntil(raft: RaftState): number {
  if (raft.leadership === null || raft.leadership.leaseRevoked || !hasCommitInTerm(raft)) return -Infinity;
  // Each voter withholds its vote for our electionMs, whatever its own is: the round has told it so. It counts from when
  // it heard the round, which is later than its sending; its clock may run faster.
  return confirmedSentAt(raft) + raft.options.electionMs * (1 - raft.options.clockDrift);
}

/** On each tick of a leader: a heartbeat when one is due, and stepping down when too little came back. */
export function keepLeadership(raft: RaftState): void {
  const { leading, options } = raft;
  const lastHeard = Math.max(confirmedSentAt(raft), leading.since);
  if (raft.now - lastHeard >= options.electionMs * 1.5 || raft.diskStalled()) {
    becomeFollower(raft, raft.currentTerm, null);
    return;
  }
  if (raft.now - leading.roundSentAt >= options.heartbeatMs) startRound(raft);
}
