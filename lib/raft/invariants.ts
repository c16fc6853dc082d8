// What must hold of one replica, of its change from one moment to the next, and of the whole cluster (Raft figure 3).
// Scripts and simulations ask after every step. Each function returns what is broken, in words; empty = all is well.
import { isVoter } from "./configuration.ts";
import type { ReplicaId } from "./identity.ts";
import type { RaftStatus } from "./ready.ts";

/** One replica at one moment. */
export function brokenState(status: RaftStatus): string[] {
  const { id, role, currentTerm, votedFor, leaderId, commitIndex, lastApplied, durableIndex, last } = status;
  const { peers, configuration } = status;
  const broken: string[] = [];
  // Asked after every step of long simulations: nothing is made unless something is wrong.
  if (lastApplied > commitIndex) broken.push(`${id}: applied ${lastApplied} past its commit ${commitIndex}`);
  if (lastApplied > durableIndex) {
    broken.push(`${id}: applied ${lastApplied} past what is durable, ${durableIndex}`);
  }
  if (commitIndex > last.index) broken.push(`${id}: committed ${commitIndex} past its log, ${last.index}`);
  if (durableIndex > last.index) broken.push(`${id}: durable ${durableIndex} past its log, ${last.index}`);
  if (last.term > currentTerm) broken.push(`${id}: an entry of term ${last.term} in term ${currentTerm}`);
  if (role === "leader" && (leaderId !== id || votedFor !== id)) {
    broken.push(`${id}: leads without its own vote`);
  }
  if (role === "candidate" && votedFor !== id) {
    broken.push(`${id}: a candidate that did not vote for itself`);
  }
  if (
    (role === "candidate" || role === "preCandidate") && !status.configurationUncommitted &&
    !isVoter(configuration.configuration, id)
  ) broken.push(`${id}: campaigns and is no voter`);
  if (role !== "leader" && peers.length > 0) broken.push(`${id}: follows and keeps progress`);
  if (configuration.index > last.index) {
    broken.push(`${id}: goes by configuration ${configuration.index}, past its log, ${last.index}`);
  }
  for (const { matchIndex, nextIndex } of peers) {
    if (matchIndex < nextIndex && matchIndex <= last.index) continue;
    broken.push(`${id}: a follower's match is past its next or past the log`);
  }
  return broken;
}

/** One replica at two moments of one life, `before` first. */
export function brokenChange(before: RaftStatus, after: RaftStatus): string[] {
  const { id } = after;
  const sameTerm = before.currentTerm === after.currentTerm;
  const ledThroughout = sameTerm && before.role === "leader" && after.role === "leader";
  const broken: string[] = [];
  if (after.currentTerm < before.currentTerm) {
    broken.push(`${id}: its term fell from ${before.currentTerm} to ${after.currentTerm}`);
  }
  if (after.commitIndex < before.commitIndex) {
    broken.push(`${id}: its commit fell from ${before.commitIndex} to ${after.commitIndex}`);
  }
  if (after.lastApplied < before.lastApplied) {
    broken.push(`${id}: its applied index fell from ${before.lastApplied} to ${after.lastApplied}`);
  }
  if (after.last.index < before.commitIndex) {
    broken.push(`${id}: its log lost what was committed up to ${before.commitIndex}`);
  }
  if (sameTerm && before.votedFor !== null && after.votedFor !== before.votedFor) {
    broken.push(
      `${id}: it voted twice in term ${after.currentTerm}: ${before.votedFor}, then ${after.votedFor}`,
    );
  }
  if (!ledThroughout) return broken;
  if (after.last.index < before.last.index) {
    broken.push(`${id}: a leader cut its own log (leader append-only)`);
  }
  const [earlier, later] = [before.configuration.index, after.configuration.index];
  if (later !== earlier && earlier > after.commitIndex) {
    broken.push(`${id}: a leader began configuration ${later}, ${earlier} being uncommitted`);
  }
  return broken;
}

/** What the cluster checker needs of a replica besides its status. */
export type ReplicaView = {
  readonly status: RaftStatus; /** Term of an entry that exists. */
  termAt(index: number): number;
};

/**
 * The cluster at one moment: at most one leader a term, logs that agree wherever they have the same index and term, the
 * same entries where committed, and every committed entry in the log of the newest leader.
 */
export function brokenCluster(replicas: readonly ReplicaView[]): string[] {
  const broken: string[] = [];
  const leaders = new Map<number, ReplicaId>();
  for (const { status } of replicas) {
    if (status.role !== "leader") continue;
    const other = leaders.get(status.currentTerm);
    if (other !== undefined) broken.push(`${other} and ${status.id} both lead term ${status.currentTerm}`);
    leaders.set(status.currentTerm, status.id);
  }
  for (const [at, one] of replicas.entries()) {
    for (const other of replicas.slice(at + 1)) broken.push(...brokenPair(one, other));
  }
  const newest = replicas
    .filter(({ status }) => status.role === "leader")
    .sort((a, b) => b.status.currentTerm - a.status.currentTerm)[0];
  if (newest !== undefined) {
    for (const other of replicas) broken.push(...missingFromLeader(newest, other));
  }
  return broken;
}

function brokenPair(one: ReplicaView, other: ReplicaView): string[] {
  const committed = Math.min(one.status.commitIndex, other.status.commitIndex);
  // Log matching: where the logs agree at an index they agree before it, so that one look at the end is enough.
  if (committed > 0 && one.termAt(committed) !== other.termAt(committed)) {
    return [
      `${one.status.id} and ${other.status.id} committed different entries at ${committed}: ` +
      `terms ${one.termAt(committed)} and ${other.termAt(committed)}`,
    ];
  }
  return [];
}

function missingFromLeader(leader: ReplicaView, other: ReplicaView): string[] {
  const { commitIndex, id, currentTerm } = other.status;
  if (currentTerm > leader.status.currentTerm || commitIndex === 0) return [];
  const complete = leader.status.last.index >= commitIndex &&
    leader.termAt(commitIndex) === other.termAt(commitIndex);
  return complete ? [] : [
    `leader ${leader.status.id} of term ${leader.status.currentTerm} lacks what ${id} committed at ${commitIndex}`,
  ];
}
