// Whether a node was removed from its cluster: a configuration known to be committed, later than the one that had it as a
// member, does not have it. Nothing else counts, so that old or replayed news removes nobody.
import { type ConfigurationAt, isMember, type ReplicaId } from "../raft/mod.ts";

/** `memberSince`: index of a committed configuration with this node in it. */
export function isRemoved(
  self: ReplicaId,
  memberSince: number,
  committed: readonly (ConfigurationAt | null)[],
): boolean {
  let newest: ConfigurationAt | null = null;
  for (const at of committed) if (at !== null && at.index > (newest?.index ?? -1)) newest = at;
  return newest !== null && newest.index > memberSince && !isMember(newest.configuration, self);
}
