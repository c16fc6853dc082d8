// Membership changes by joint consensus (Raft §6, diss. §4.3): C_old,new first, and when that is committed C_new, by
// whoever leads then. A configuration is in force as soon as it is appended.
import { type Configuration, decodeConfiguration, encodeConfiguration, isJoint } from "./configuration.ts";
import { hasCommitInTerm } from "./commit.ts";
import type { Position } from "./entry.ts";
import type { ReplicaId } from "./identity.ts";
import type { Result } from "./ready.ts";
import { appendEntry, becomeFollower, syncProgress } from "./roles.ts";
import type { RaftState } from "./state.ts";
import { furthestVoter, sendTimeoutNow } from "./transfer.ts";

/** Begins the change to these voters and learners; the position is that of its first entry. */
export function proposeConfiguration(
  raft: RaftState,
  voters: readonly ReplicaId[],
  learners: readonly ReplicaId[],
): Result<Position> {
  const { index, configuration } = raft.configurations.latest;
  if (isJoint(configuration) || index > raft.commitIndex) return { ok: false, reason: "change_running" };
  // Without a commit in this term a change of an earlier leader might still surface beside ours (Ongaro 2015).
  if (!hasCommitInTerm(raft)) return { ok: false, reason: "no_commit_in_term" };
  const everybody = [...voters, ...learners];
  const next = { voters: [...voters].sort(), learners: [...learners].sort() };
  const same = sameList(next.voters, configuration.voters) && sameList(next.learners, configuration.learners);
  if (voters.length === 0 || new Set(everybody).size !== everybody.length || same) {
    return { ok: false, reason: "invalid" };
  }
  // Learners are in no quorum: a change of learners alone needs no joint phase.
  const outgoing = sameList(next.voters, configuration.voters) ? [] : configuration.voters;
  return { ok: true, value: appendConfiguration(raft, { ...next, outgoing }) };
}

function sameList(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  const left = [...a].sort();
  const right = [...b].sort();
  return left.length === right.length && left.every((item, at) => item === right[at]);
}

function appendConfiguration(raft: RaftState, configuration: Configuration): Position {
  const data = encodeConfiguration(configuration);
  const index = appendEntry(raft, "configuration", data);
  raft.configurations.append(index, decodeConfiguration(data));
  syncProgress(raft);
  return { index, term: raft.currentTerm };
}

/**
 * Called when the commit index of a leader has moved. A committed C_old,new is followed by C_new; a leader that a
 * committed C_new does not count steps down, having told the furthest voter to take over (§6, third issue).
 */
export function leaveJointOrLeadership(raft: RaftState): void {
  const { index, configuration } = raft.configurations.latest;
  if (index > raft.commitIndex) return;
  if (isJoint(configuration)) {
    // Nothing that another member could have learnt about the future must be in this entry: it is C_new alone.
    appendConfiguration(raft, {
      voters: configuration.voters,
      outgoing: [],
      learners: configuration.learners,
    });
    return;
  }
  if (configuration.voters.includes(raft.id)) return;
  const successor = furthestVoter(raft);
  if (successor !== null) sendTimeoutNow(raft, successor);
  becomeFollower(raft, raft.currentTerm, null);
}
