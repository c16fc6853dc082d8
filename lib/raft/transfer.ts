// Handing leadership over (diss. §3.10): bring the target up to date, stop taking proposals, tell it to campaign at once.
import { isVoter } from "./configuration.ts";
import { campaignForTransfer } from "./election.ts";
import type { ReplicaId } from "./identity.ts";
import type { TimeoutNow } from "./messages.ts";
import type { Result } from "./ready.ts";
import type { RaftState } from "./state.ts";

/** Begins to hand over to `to`, or (null) to the voter that is furthest. It is given up after electionMs. */
export function transferLeadership(raft: RaftState, to: ReplicaId | null): Result<ReplicaId> {
  if (raft.leadership === null) return { ok: false, reason: "not_leader" };
  const target = to ?? furthestVoter(raft);
  if (target === null || target === raft.id || !raft.configuration.voters.includes(target)) {
    return { ok: false, reason: "invalid" };
  }
  if (raft.leading.transfer?.target === target) return { ok: true, value: target };
  raft.leading.transfer = { target, deadline: raft.now + raft.options.electionMs, sent: false };
  return { ok: true, value: target };
}

/** The voter of the newest group that was heard within an election timeout and has the most of the log. */
export function furthestVoter(raft: RaftState): ReplicaId | null {
  const { leading, configuration, now, options } = raft;
  let best: ReplicaId | null = null;
  let bestMatch = -1;
  for (const replica of configuration.voters) {
    const progress = leading.progress.get(replica);
    if (progress === undefined || progress.lastContact === null) continue;
    if (now - progress.lastContact >= options.electionMs || progress.matchIndex <= bestMatch) continue;
    best = replica;
    bestMatch = progress.matchIndex;
  }
  return best;
}

/** Sends TimeoutNow once the target holds the whole log. */
export function handOver(raft: RaftState): void {
  const { transfer, progress } = raft.leading;
  if (transfer === null || transfer.sent) return;
  if (progress.get(transfer.target)?.matchIndex !== raft.log.lastIndex) return;
  transfer.sent = true;
  sendTimeoutNow(raft, transfer.target);
}

export function sendTimeoutNow(raft: RaftState, to: ReplicaId): void {
  // However late it arrives, it ends the leases of this term: its election is one that voters do not refuse.
  raft.leading.leaseRevoked = true;
  raft.send({ type: "TimeoutNow", from: raft.id, to, term: raft.currentTerm });
}

/** On each tick of a leader: a transfer that took too long is given up, and proposals are taken again. */
export function expireTransfer(raft: RaftState): void {
  const { transfer } = raft.leading;
  if (transfer !== null && raft.now >= transfer.deadline) raft.leading.transfer = null;
}

export function handleTimeoutNow(raft: RaftState, message: TimeoutNow): void {
  const fromLeader = message.term === raft.currentTerm && raft.leaderId === message.from;
  if (
    !fromLeader || raft.role !== "follower" || !isVoter(raft.configuration, raft.id) || raft.diskStalled()
  ) return;
  campaignForTransfer(raft);
}
