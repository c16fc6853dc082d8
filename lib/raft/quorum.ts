// Quorum arithmetic over one or two voter groups (Raft §6: agreement needs separate majorities of both). Whether a
// configuration is joint is never asked here: everything is the minimum over its groups.
import { type Configuration, voterGroups } from "./configuration.ts";
import type { ReplicaId } from "./identity.ts";

/** Voters that make a majority of `size`. */
export function majority(size: number): number {
  return Math.floor(size / 2) + 1;
}

/**
 * The largest value that a majority of every group has reached; −Infinity for a configuration without voters.
 * Serves for the commit index (of matchIndex), for confirmed rounds and for the start of the lease (of sending times).
 */
export function quorumValue(configuration: Configuration, valueOf: (replica: ReplicaId) => number): number {
  const reached = groupValue(configuration.voters, valueOf);
  return configuration.outgoing.length === 0
    ? reached
    : Math.min(reached, groupValue(configuration.outgoing, valueOf));
}

/** Asked several times a turn: sorts by insertion, groups are small. */
function groupValue(group: readonly ReplicaId[], valueOf: (replica: ReplicaId) => number): number {
  const descending: number[] = [];
  for (const replica of group) {
    const value = valueOf(replica);
    let at = descending.length;
    for (; at > 0 && descending[at - 1]! < value; at--) descending[at] = descending[at - 1]!;
    descending[at] = value;
  }
  return descending[majority(group.length) - 1] ?? -Infinity;
}

export type VoteResult = "won" | "lost" | "pending";

/** Won when every group is won, lost as soon as one can no longer be; votes of strangers count nowhere. */
export function voteResult(configuration: Configuration, votes: ReadonlyMap<ReplicaId, boolean>): VoteResult {
  let pending = false;
  for (const group of voterGroups(configuration)) {
    if (group.length === 0) return "lost";
    const needed = majority(group.length);
    const granted = group.filter((voter) => votes.get(voter) === true).length;
    const refused = group.filter((voter) => votes.get(voter) === false).length;
    if (group.length - refused < needed) return "lost";
    if (granted < needed) pending = true;
  }
  return pending ? "pending" : "won";
}
