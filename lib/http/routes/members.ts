// Changes of the members (api.md, Cluster): any node takes them and asks the leader. They wait up to 5 s for a leader and
// for a running change; 200 means that the change is committed to, and goes on whoever leads.
import * as v from "valibot";
import { idPattern, idRule, isIncarnation, isMemberName } from "../../raft/mod.ts";
import type { AdminOutcome, AdminRequest } from "../../replica/membership-messages.ts";
import { stateHeaders } from "../ending.ts";
import type { Endpoint, Exchange, Handler } from "../exchange.ts";
import { bad, type Checked, good, type Problem, problem, type ProblemCode } from "../problem.ts";
import type { Services } from "../services.ts";
import { decodePath, rawPath } from "../target.ts";
import { configurationJson, parseJson } from "./cluster.ts";

/** How long a change may wait before it begins, and to be committed to. */
export const CHANGE_TIMEOUT_MS = 5_000;

const Name = v.pipe(v.string(), v.regex(idPattern, idRule));
const Member = v.pipe(v.string(), v.check(isMemberName, "no name of a member"));

const Addition = v.strictObject({
  id: Name,
  url: v.optional(v.nullable(v.pipe(v.string(), v.url("not a URL"))), null),
  incarnation: v.optional(v.nullable(v.pipe(v.string(), v.check(isIncarnation, "no incarnation"))), null),
  role: v.optional(v.picklist(["voter", "learner"], "voter or learner is expected"), "voter"),
});

const Wanted = v.strictObject({ voters: v.array(Member), learners: v.optional(v.array(Member), []) });

export function membersEndpoint(services: Services): Endpoint {
  return changing(services, "/v1/cluster/members", "POST", async (exchange, force) => {
    const body = await parseJson(services, exchange.request, Addition);
    return body.ok ? good({ type: "add", ...body.value, force }) : body;
  });
}

export function memberEndpoint(services: Services): Endpoint {
  return changing(services, "/v1/cluster/members/:id", "DELETE", ({ request }, force) => {
    const raw = rawPath(request.url);
    const id = decodePath(raw.slice(raw.lastIndexOf("/") + 1));
    if (!id.ok) return id;
    return v.is(Member, id.value)
      ? good({ type: "remove", id: id.value, force })
      : bad("invalid_request", "This is no name of a member.");
  });
}

export function configurationEndpoint(services: Services): Endpoint {
  return changing(services, "/v1/cluster/configuration", "PUT", async (exchange, force) => {
    const body = await parseJson(services, exchange.request, Wanted);
    return body.ok ? good({ type: "configure", ...body.value, force }) : body;
  });
}

type Read = (
  exchange: Exchange,
  force: boolean,
) => Checked<AdminRequest> | Promise<Checked<AdminRequest>>;

function changing(
  services: Services,
  route: string,
  method: "POST" | "PUT" | "DELETE",
  read: Read,
): Endpoint {
  const handler: Handler = async (exchange) => {
    const force = exchange.query.get("force") ?? "false";
    if (force !== "true" && force !== "false") {
      return problem("invalid_request", "force is true or false.");
    }
    const request = await read(exchange, force === "true");
    return request.ok ? await administer(services, request.value) : request.problem;
  };
  return { route, methods: { [method]: handler }, stamp: () => stateHeaders(services, null) };
}

export async function administer(services: Services, request: AdminRequest): Promise<Response | Problem> {
  const outcome = await services.replica.administer(request, { timeoutMs: CHANGE_TIMEOUT_MS });
  if (!outcome.ok) return adminProblem(outcome);
  const { configuration } = outcome;
  return Response.json({ ...configurationJson({ configuration }) }, {
    headers: stateHeaders(services, null),
  });
}

const CODES: Readonly<Record<Extract<AdminOutcome, { ok: false }>["reason"], ProblemCode>> = {
  invalid: "invalid_request",
  not_found: "not_found",
  conflict: "conflict",
  unavailable: "unavailable",
  not_leader: "unavailable",
  unknown: "outcome_unknown",
};

export function adminProblem({ reason, detail }: Extract<AdminOutcome, { ok: false }>): Problem {
  return problem(CODES[reason] ?? "unavailable", `${detail}.`);
}
