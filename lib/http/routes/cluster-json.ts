// What GET /v1/cluster says: who is in the cluster, as this node sees it, and what is going on.
import { idOf, incarnationOf, isJoint, members, type ReplicaId } from "../../raft/mod.ts";
import type { ReplicaStatus } from "../../replica/api.ts";
import { bringUpSentence } from "../../replica/bring-up.ts";
import type { Plan } from "../../replica/plan.ts";
import type { DirectoryEntry } from "../options.ts";
import { leaderOf, type Services } from "../services.ts";

/** A link that carried nothing for so long is not healthy; heartbeats come many times a second. */
const HEALTHY_CONTACT_MS = 3_000;
const NO_MEMBERS: Plan = { voters: [], learners: [] };

/** The configuration as in api.md; an unknown index is null. */
export function configurationJson({ configuration: at }: Pick<ReplicaStatus, "configuration">) {
  if (at === null) return { index: null, joint: false, voters: [], learners: [] };
  const { index, configuration } = at;
  const { voters, outgoing, learners } = configuration;
  const joint = isJoint(configuration);
  return {
    index,
    joint,
    voters: voters.map(idOf),
    ...joint ? { outgoing: outgoing.map(idOf) } : {},
    learners: learners.map(idOf),
  };
}

export function clusterJson(services: Services) {
  const status = services.replica.status();
  const all = status.configuration === null ? [] : members(status.configuration.configuration);
  const { directory: ask, node } = services;
  const directory = ask();
  return {
    clusterId: status.clusterId,
    term: status.term,
    leader: leaderOf(status),
    revision: status.appliedIndex,
    configuration: configurationJson(status),
    members: all.map((replica) =>
      memberJson(services, status, replica, directory.get(replica) ?? directory.get(idOf(replica)))
    ),
    ...membershipJson(status),
    // Only a node that does not take part has something to say of itself.
    ...status.phase === "running" ? {} : { node: nodeJson(node.id, status) },
  };
}

/** What is going on with members: changes that are not over, nodes that ask to be let in. Left out where there is nothing. */
function membershipJson({ changes = [], applicants = [] }: ReplicaStatus) {
  const asking = applicants.map(({ replica, role, refused, why }) => ({
    ...{ id: idOf(replica), incarnation: incarnationOf(replica), role, refused, why },
  }));
  return {
    ...changes.length === 0 ? {} : { changes },
    ...asking.length === 0 ? {} : { applicants: asking },
  };
}

function nodeJson(id: string, { phase, waitingFor }: ReplicaStatus) {
  return { id, phase, ...waitingFor === null ? {} : { waitingFor } };
}

function memberJson(
  { node }: Services,
  status: ReplicaStatus,
  replica: ReplicaId,
  known: DirectoryEntry | undefined,
) {
  const { voters, learners } = status.configuration?.configuration ?? NO_MEMBERS;
  const self = replica === status.replica;
  const link = status.connected.find((peer) => peer.replica === replica);
  const progress = status.peers.find((peer) => peer.id === replica);
  const region = self ? node.region : known?.region ?? null;
  const contact = status.contacts?.get(replica);
  const lastContactMs = self ? 0 : progress?.lastContactMs ?? link?.lastContactMs ?? contact?.agoMs ?? null;
  const bringUp = status.bringUps?.find((item) => item.replica === replica);
  const leading = status.role === "leader";
  // How far a log agrees with the leader's is known to the leader alone.
  const matchIndex = leading && self ? status.durableIndex : progress?.matchIndex ?? null;
  return {
    id: idOf(replica),
    url: self ? node.advertise : known?.url ?? link?.url ?? (contact?.url || null),
    role: learners.includes(replica) ? "learner" : "voter",
    // Only in the configuration that a change leaves.
    ...voters.includes(replica) || learners.includes(replica) ? {} : { leaving: true },
    ...region === null ? {} : { region },
    incarnation: incarnationOf(replica),
    healthy: self
      ? status.phase === "running"
      : link !== undefined && (lastContactMs === null || lastContactMs <= HEALTHY_CONTACT_MS),
    matchIndex,
    lag: matchIndex === null ? null : Math.max(0, status.lastIndex - matchIndex),
    lastContactMs: lastContactMs === null ? null : Math.round(lastContactMs),
    // Nothing since this node started, and that is so long ago.
    ...lastContactMs === null && status.watchedMs !== undefined
      ? { watchedMs: Math.round(status.watchedMs) }
      : {},
    version: self ? node.version : link?.version ?? known?.version ?? contact?.version ?? null,
    ...known?.ageMs === undefined || self ? {} : { gossipAgeMs: Math.round(known.ageMs) },
    ...known?.unreachableFrom === undefined ? {} : { unreachableFrom: known.unreachableFrom },
    ...bringUp === undefined || bringUp.caughtUp ? {} : { bringUp: bringUpSentence(bringUp) },
  };
}
