// What must hold of one replica, of its change from one moment to the next, and of the whole cluster (Raft figure 3).
// Scripts and simulations ask after every step. Each function returns what is broken, in words; empty = all is well.
import { isVoter } from "./configuration.ts";
import type { ReplicaId } from "./identity.ts";
import type { RaftStatus } from "./ready.ts";

/** One replica at one moment. */
export function brokenState(status: RaftStatus): string[] {
  const {
    id,
    role,
    currentTerm,
    votedFor,
    leaderId,
    commitIndex,
    lastApplied,
    durableIndex,
    last,
    peers,
    configuration,
  } = status;
  return failures(id, [
    [lastApplied <= commitIndex, () => `applied ${lastApplied} past its commit ${commitIndex}`],
    [lastApplied <= durableIndex, () => `applied ${lastApplied} past what is durable, ${durableIndex}`],
    [commitIndex <= last.index, () => `committed ${commitIndex} past its log, ${last.index}`],
    [durableIndex <= last.index, () => `durable ${durableIndex} past its log, ${last.index}`],
    [last.term <= currentTerm, () => `an entry of term ${last.term} in term ${currentTerm}`],
    [role !== "leader" || leaderId === id && votedFor === id, () => "leads without its own vote"],
    [role !== "candidate" || votedFor === id, () => "a candidate that did not vote for itself"],
    [
      role !== "candidate" && role !== "preCandidate" || status.configurationUncommitted ||
      isVoter(configuration.configuration, id),
      () => "campaigns and is no voter",
    ],
    [role === "leader" || peers.length === 0, () => "follows and keeps progress"],
    [
      configuration.index <= last.index,
      () => `goes by configuration ${configuration.index}, past its log, ${last.index}`,
    ],
    [
      peers.every((peer) => peer.matchIndex < peer.nextIndex && peer.matchIndex <= last.index),
      () => "a follower's match is past its next or past the log",
    ],
  ]);
}

/** One replica at two moments of one life, `before` first. */
export function brokenChange(before: RaftStatus, after: RaftStatus): string[] {
  const sameTerm = before.currentTerm === after.currentTerm;
  const ledThroughout = sameTerm && before.role === "leader" && after.role === "leader";
  return failures(after.id, [
    [
      after.currentTerm >= before.currentTerm,
      () => `its term fell from ${before.currentTerm} to ${after.currentTerm}`,
    ],
    [
      after.commitIndex >= before.commitIndex,
      () => `its commit fell from ${before.commitIndex} to ${after.commitIndex}`,
    ],
    [
      after.lastApplied >= before.lastApplied,
      () => `its applied index fell from ${before.lastApplied} to ${after.lastApplied}`,
    ],
    [
      after.last.index >= before.commitIndex,
      () => `its log lost what was committed up to ${before.commitIndex}`,
    ],
    [
      !sameTerm || before.votedFor === null || after.votedFor === before.votedFor,
      () => `it voted twice in term ${after.currentTerm}: ${before.votedFor}, then ${after.votedFor}`,
    ],
    [
      !ledThroughout || after.last.index >= before.last.index,
      () => "a leader cut its own log (leader append-only)",
    ],
    [
      !ledThroughout || after.configuration.index === before.configuration.index ||
      before.configuration.index <= after.commitIndex,
      () =>
        `a leader began configuration ${after.configuration.index}, ${before.configuration.index} being uncommitted`,
    ],
  ]);
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

function failures(
  id: ReplicaId,
  checks: readonly (readonly [holds: boolean, message: () => string])[],
): string[] {
  return checks.filter(([holds]) => !holds).map(([, message]) => `${id}: ${message()}`);
}
