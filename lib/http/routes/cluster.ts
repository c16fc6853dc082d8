// GET /v1/cluster: who is in the cluster, as this node sees it; local, never waits. POST /v1/cluster/leader: hand over.
import * as v from "valibot";
import { idOf, incarnationOf, isJoint, members, type ReplicaId } from "../../raft/mod.ts";
import type { ReplicaStatus } from "../../replica/api.ts";
import { bringUpSentence } from "../../replica/bring-up.ts";
import { parseChangeTimeout } from "../duration.ts";
import { stateHeaders } from "../ending.ts";
import type { Endpoint, Exchange } from "../exchange.ts";
import { parseJson } from "../json-body.ts";
import type { DirectoryEntry } from "../options.ts";
import { type Problem, problem } from "../problem.ts";
import { leaderOf, type Services } from "../services.ts";
import { redirectToLeader } from "../write.ts";
import { administer } from "./members.ts";

/** A link that carried nothing for so long is not healthy; heartbeats come many times a second. */
const HEALTHY_CONTACT_MS = 3_000;

export function clusterEndpoint(services: Services): Endpoint {
  return {
    route: "/v1/cluster",
    methods: { GET: () => Response.json(clusterJson(services), { headers: stateHeaders(services, null) }) },
  };
}

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

function clusterJson(services: Services) {
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
    // Only a node that does not take part has something to say of itself.
    ...status.phase === "running" ? {} : { node: nodeJson(node.id, status) },
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
  const self = replica === status.replica;
  const link = status.connected.find((peer) => peer.replica === replica);
  const progress = status.peers.find((peer) => peer.id === replica);
  const region = self ? node.region : known?.region ?? null;
  const lastContactMs = self ? 0 : progress?.lastContactMs ?? link?.lastContactMs ?? null;
  const bringUp = status.bringUps?.find((item) => item.replica === replica);
  const leading = status.role === "leader";
  // How far a log agrees with the leader's is known to the leader alone.
  const matchIndex = leading && self ? status.durableIndex : progress?.matchIndex ?? null;
  return {
    id: idOf(replica),
    url: self ? node.advertise : known?.url ?? link?.url ?? null,
    role: status.configuration?.configuration.learners.includes(replica) === true ? "learner" : "voter",
    ...region === null ? {} : { region },
    incarnation: incarnationOf(replica),
    healthy: self
      ? status.phase === "running"
      : link !== undefined && (lastContactMs === null || lastContactMs <= HEALTHY_CONTACT_MS),
    matchIndex,
    lag: matchIndex === null ? null : Math.max(0, status.lastIndex - matchIndex),
    lastContactMs,
    version: self ? node.version : link?.version ?? known?.version ?? null,
    ...known?.ageMs === undefined || self ? {} : { gossipAgeMs: Math.round(known.ageMs) },
    ...bringUp === undefined || bringUp.caughtUp ? {} : { bringUp: bringUpSentence(bringUp) },
  };
}

const Handover = v.strictObject({ to: v.optional(v.nullable(v.string())) });

/** Answers once the handover has begun. A follower asks the leader. */
export function leaderEndpoint(services: Services): Endpoint {
  const stamp = () => stateHeaders(services, null);
  return {
    route: "/v1/cluster/leader",
    methods: { POST: (exchange) => transfer(services, exchange) },
    stamp,
  };
}

async function transfer(services: Services, exchange: Exchange): Promise<Response | Problem> {
  const body = await parseJson(services, exchange.request, Handover);
  if (!body.ok) return body.problem;
  const status = services.replica.status();
  const wanted = body.value.to ?? null;
  if (status.role !== "leader") {
    return redirectToLeader(services, exchange) ?? await pass(services, exchange, wanted);
  }
  const to = wanted === null ? null : voterCalled(status, wanted);
  if (wanted !== null && to === null) {
    return problem("invalid_request", "There is no voter with this id; GET /v1/cluster lists them.");
  }
  const begun = to === status.replica
    ? { ok: true as const, value: to }
    : services.replica.transferLeadership(to);
  if (!begun.ok) return transferProblem(begun.reason);
  const answer = { to: idOf(begun.value), configuration: configurationJson(status) };
  return Response.json(answer, { headers: stateHeaders(services, null) });
}

/** The leader is asked over the peer link. */
async function pass(services: Services, exchange: Exchange, to: string | null): Promise<Response | Problem> {
  const timeoutMs = parseChangeTimeout(exchange.query);
  if (!timeoutMs.ok) return timeoutMs.problem;
  return await administer(
    services,
    exchange,
    { type: "transfer", to },
    timeoutMs.value,
    ({ configuration, leaderId }) => ({
      to: leaderId === null ? to : idOf(leaderId),
      configuration: configurationJson({ configuration }),
    }),
  );
}

function voterCalled({ configuration }: ReplicaStatus, id: string): ReplicaId | null {
  return configuration?.configuration.voters.find((voter) => idOf(voter) === id) ?? null;
}

function transferProblem(reason: string): Problem {
  switch (reason) {
    case "transferring":
    case "change_running":
      return problem("conflict", "A handover or a membership change is running already.");
    case "invalid":
      return problem("conflict", "There is no other voter that could lead.");
    default:
      return problem("unavailable", "Leadership is changing; nothing was done.");
  }
}
