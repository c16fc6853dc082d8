// GET /v1/cluster: who is in the cluster, as this node sees it; local, never waits. POST /v1/cluster/leader: hand over.
import * as v from "valibot";
import { idOf, type ReplicaId } from "../../raft/mod.ts";
import type { ReplicaStatus } from "../../replica/api.ts";
import { parseChangeTimeout } from "../duration.ts";
import { stateHeaders } from "../ending.ts";
import type { Endpoint, Exchange } from "../exchange.ts";
import { parseJson } from "../json-body.ts";
import { type Problem, problem } from "../problem.ts";
import type { Services } from "../services.ts";
import { redirectToLeader } from "../write.ts";
import { clusterJson, configurationJson } from "./cluster-json.ts";
import { administer } from "./members.ts";

export function clusterEndpoint(services: Services): Endpoint {
  return {
    route: "/v1/cluster",
    methods: { GET: () => Response.json(clusterJson(services), { headers: stateHeaders(services, null) }) },
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
