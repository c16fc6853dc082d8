// Where messages are dear: new entries go at once to as few followers as make a bare majority likely, to the rest with
// the next heartbeat, and a heartbeat only to whom nothing else was sent. Late acknowledgements turn the leader to all.
import { matchIndexOf } from "./commit.ts";
import type { ReplicaId } from "./identity.ts";
import type { Progress } from "./progress.ts";
import { quorumValue } from "./quorum.ts";
import type { RaftState } from "./state.ts";

/** How likely enough answers have to be before anybody is left for later. */
const likely = 0.7;

/** Whether new entries go to this follower at once. */
export function sendsEagerly(raft: RaftState, replica: ReplicaId): boolean {
  if (!raft.options.thrifty) return true;
  const { voters, outgoing } = raft.configuration;
  if (outgoing.length > 0 || !voters.includes(replica)) return true;
  // What a majority has is not sent again before the next heartbeat or the next entry.
  const reached = quorumValue(raft.configuration, (voter) => matchIndexOf(raft, voter));
  return reached < raft.log.lastIndex && (isLate(raft) || eagerFew(raft).includes(replica));
}

/** Whether this follower is owed a message although it lacks nothing that has to go at once. */
export function owesRound(raft: RaftState, progress: Progress): boolean {
  const { leading, options, now } = raft;
  if (!options.thrifty) return progress.sentRound < leading.round;
  const read = leading.pendingReads.at(-1);
  if (read !== undefined && progress.sentRound < read.round) return true;
  return now - progress.sentAt >= options.heartbeatMs;
}

/** The voters that have the most, as many as make so many answers as the majority needs likely. */
function eagerFew(raft: RaftState): readonly ReplicaId[] {
  const { leading, configuration, options, now } = raft;
  const { voters } = configuration;
  const answered = (voter: ReplicaId): number => {
    const progress = leading.progress.get(voter);
    if (progress === undefined) return 0;
    return now - (progress.lastContact ?? leading.since) < options.heartbeatMs * 2 ? progress.answered : 0;
  };
  const others = voters.filter((voter) => voter !== raft.id);
  others.sort((a, b) => matchIndexOf(raft, b) - matchIndexOf(raft, a) || (a < b ? -1 : 1));
  // chances[n]: that n of those chosen so far answer.
  let chances = [1];
  return others.filter((voter) => {
    const chance = answered(voter);
    const enough = chances.slice(Math.floor(voters.length / 2)).reduce((sum, each) => sum + each, 0);
    if (enough >= likely || chance === 0) return false;
    chances = [...chances, 0].map((same, n) => same * (1 - chance) + (chances[n - 1] ?? 0) * chance);
    return true;
  });
}

/** What is uncommitted has been so for longer than acknowledgements usually take. */
function isLate(raft: RaftState): boolean {
  const { unsettledSince, progress } = raft.leading;
  const usual = [...progress.values()].map(({ usualMs }) => usualMs).sort((a, b) => a - b);
  const { retransmitMs, heartbeatMs } = raft.options;
  const patience = Math.max(retransmitMs, 2 * (usual[usual.length >> 1] ?? 0));
  return unsettledSince !== null && raft.now - unsettledSince > Math.min(patience, heartbeatMs / 4);
}

/**
 * How long to wait at most before sending again, ms. Waits double, so that a follower that is gone costs little; of one
 * that a thrifty leader has just heard from, a message was lost, and a part of its silence is long enough.
 */
export function longestWait(raft: RaftState, progress: Progress): number {
  const { electionMs, heartbeatMs, retransmitMs, thrifty } = raft.options;
  const longest = Math.max(2 * electionMs, heartbeatMs);
  // What usually takes how long is not known yet: waits double until the first answer is there to be measured.
  if (!thrifty || progress.usualMs === 0) return longest;
  const silence = raft.now - (progress.lastContact ?? raft.leading.since);
  return Math.min(longest, Math.max(retransmitMs, 2 * progress.usualMs, silence / 8));
}
