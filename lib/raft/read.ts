// Rounds of heartbeats and what they prove (diss. §6.4): a read is safe once a quorum has echoed a round that was sent
// after the read arrived. The sending time of the last confirmed round also dates leases, check-quorum and staleness.
import type { ReplicaId } from "./identity.ts";
import { hasCommitInTerm } from "./commit.ts";
import { quorumValue } from "./quorum.ts";
import type { PendingRead, RaftState } from "./state.ts";

/** Begins a round: every follower is owed a message that carries it. */
export function startRound(raft: RaftState): void {
  const { leading } = raft;
  leading.round++;
  leading.roundSentAt = raft.now;
  leading.rounds.sent(leading.round, raft.now);
}

/**
 * Gives waiting reads a round of their own, begun now. Nothing is read before this term has a commit. While a round of
 * earlier reads is under way the new ones wait and share the next, unless it has been out for a heartbeat.
 */
export function startReadRound(raft: RaftState): void {
  const { leading } = raft;
  if (leading.newReads.length === 0 || !hasCommitInTerm(raft)) return;
  if (leading.pendingReads.length > 0 && raft.now - leading.roundSentAt < raft.options.heartbeatMs) return;
  startRound(raft);
  for (const id of leading.newReads) {
    leading.pendingReads.push({ id, index: raft.commitIndex, round: leading.round });
  }
  leading.newReads = [];
  confirmRounds(raft);
}

/** Lets go the reads whose round a quorum has echoed; returns when the last confirmed round was sent (−Infinity: none). */
export function confirmRounds(raft: RaftState): number {
  const { leading } = raft;
  if (leading.pendingReads.length > 0) {
    const confirmed = quorumValue(raft.configuration, (replica) => ackedRoundOf(raft, replica));
    const waiting: PendingRead[] = [];
    for (const read of leading.pendingReads) {
      if (read.round <= confirmed) raft.readStates.push({ id: read.id, index: read.index });
      else waiting.push(read);
    }
    leading.pendingReads = waiting;
  }
  return confirmedSentAt(raft);
}

function ackedRoundOf(raft: RaftState, replica: ReplicaId): number {
  if (replica === raft.id) return raft.leading.round;
  return raft.leading.progress.get(replica)?.ackedRound ?? 0;
}

/** When the last round that a quorum has echoed was sent: until then at least, nobody else led. −Infinity = never. */
export function confirmedSentAt(raft: RaftState): number {
  return quorumValue(
    raft.configuration,
    (replica) =>
      replica === raft.id ? raft.now : raft.leading.progress.get(replica)?.ackedSentAt ?? -Infinity,
  );
}
