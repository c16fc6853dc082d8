// What a leader knows of its members' health: who can be counted on, who can be reached where, and who has been dead for
// so long that it may be removed without anybody's word (--remove-dead-after).
import { members, type RaftStatus, type ReplicaId } from "../raft/mod.ts";
import { fewestVoters, hasLiveQuorum, type Plan, planRemoval } from "./plan.ts";
import type { Links } from "./ports.ts";

/** A voter that lags by more is not counted on: commits would have to wait for it. */
const maxVoterLag = 20_000;

/** It answered not longer ago than `withinMs`, and is not far behind. */
export function isKeepingUp({ peers, last }: RaftStatus, replica: ReplicaId, withinMs: number): boolean {
  const peer = peers.find(({ id }) => id === replica);
  if (peer === undefined || peer.lastContactMs === null) return false;
  return peer.lastContactMs < withinMs && last.index - peer.matchIndex <= maxVoterLag;
}

export function urlsOfMembers({ configuration }: RaftStatus, links: Links): string[] {
  const all = members(configuration.configuration);
  return links.connected().flatMap(({ replica, url }) => all.includes(replica) && url !== "" ? [url] : []);
}

/** A member to remove, never so many that the cluster becomes fragile for it. By the leader's own clock; `leadsForMs` is how long it has led, since before that it knows of no silence. */
export function longDead(
  { peers, configuration: { configuration } }: RaftStatus,
  removeDeadAfterMs: number,
  leadsForMs: number,
  linked: readonly ReplicaId[],
  isLive: (replica: ReplicaId) => boolean,
): { readonly replica: ReplicaId; readonly plan: Plan } | null {
  for (const { id: replica, lastContactMs } of peers) {
    if ((lastContactMs ?? leadsForMs) < removeDeadAfterMs || linked.includes(replica)) continue;
    const planned = planRemoval(configuration, replica, fewestVoters);
    if (planned.ok && hasLiveQuorum(planned.plan, isLive)) return { replica, plan: planned.plan };
  }
  return null;
}
