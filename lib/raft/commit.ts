// What is committed (Raft §5.3, §5.4.2): stored durably on a quorum, and of the leader's own term.
import type { ReplicaId } from "./identity.ts";
import { quorumValue } from "./quorum.ts";
import { leaveJointOrLeadership } from "./membership.ts";
import type { RaftState } from "./state.ts";

/** The leader's view of how far a replica's durable log agrees; its own counts only after its own fsync. */
export function matchIndexOf(raft: RaftState, replica: ReplicaId): number {
  if (replica === raft.id) return raft.log.durableIndex;
  return raft.leading.progress.get(replica)?.matchIndex ?? 0;
}

/** Moves commitIndex as far as a quorum allows. Older terms are committed only along with an entry of this one (figure 8). */
export function advanceCommit(raft: RaftState): void {
  const reached = quorumValue(raft.configuration, (replica) => matchIndexOf(raft, replica));
  if (reached <= raft.commitIndex || raft.log.term(reached) !== raft.currentTerm) return;
  const { leading, log } = raft;
  leading.uncommittedBytes = Math.max(0, leading.uncommittedBytes - log.bytes(raft.commitIndex + 1, reached));
  leading.unsettledSince = reached < log.lastIndex ? raft.now : null;
  raft.commitIndex = reached;
  leaveJointOrLeadership(raft);
}

/** Whether something of the present term is committed: only then is commitIndex known to be up to date (diss. §6.4). */
export function hasCommitInTerm(raft: RaftState): boolean {
  return raft.commitIndex >= raft.leading.termStart;
}
