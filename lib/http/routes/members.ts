// Changes of the members (api.md, Cluster): any node takes them and asks the leader. They wait up to 5 s for a leader and
// for a running change; 200 means that the change is committed to, and goes on whoever leads.
import * as v from "valibot";
import { idPattern, idRule, isIncarnation, isMemberName } from "../../raft/mod.ts";
import type { AdminOutcome, AdminRequest } from "../../replica/membership-messages.ts";
import { parseChangeTimeout } from "../duration.ts";
import { stateHeaders } from "../ending.ts";
import type { Endpoint, Exchange, Handler } from "../exchange.ts";
import { parseJson } from "../json-body.ts";
import { bad, type Checked, good, type Problem, problem, type ProblemCode } from "../problem.ts";
import type { Services } from "../services.ts";
import { decodePath, rawPath } from "../target.ts";
import { configurationJson } from "./cluster-json.ts";

const Name = v.pipe(v.string(), v.regex(idPattern, idRule));
const Member = v.pipe(v.string(), v.check(isMemberName, "no name of a member"));

const Addition = v.strictObject({
  id: Name,
  url: v.optional(
    v.nullable(v.pipe(v.string(), v.check(isNodeUrl, "a URL such as http://10.0.0.1:8080 is expected"))),
    null,
  ),
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

/** `If-Match: "index"` does it only from that configuration: what was read may have been changed meanwhile. */
export function configurationEndpoint(services: Services): Endpoint {
  return changing(services, "/v1/cluster/configuration", "PUT", async (exchange, force) => {
    const ifIndex = indexOf(exchange.request.headers.get("if-match"));
    if (!ifIndex.ok) return ifIndex;
    const body = await parseJson(services, exchange.request, Wanted);
    return body.ok ? good({ type: "configure", ...body.value, ifIndex: ifIndex.value, force }) : body;
  });
}

/** null = any. */
function indexOf(ifMatch: string | null): Checked<number | null> {
  if (ifMatch === null || ifMatch.trim() === "*") return good(null);
  const tag = /^"(\d{1,15})"$/.exec(ifMatch.trim());
  if (tag !== null) return good(Number(tag[1]));
  return bad("invalid_request", 'If-Match is the index of a configuration in quotes, like "12", or *.');
}

function isNodeUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "";
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
    const timeoutMs = parseChangeTimeout(exchange.query);
    if (!timeoutMs.ok) return timeoutMs.problem;
    const request = await read(exchange, force === "true");
    if (!request.ok) return request.problem;
    const answer = ({ configuration }: Done) => configurationJson({ configuration });
    return await administer(services, exchange, request.value, timeoutMs.value, answer);
  };
  return { route, methods: { [method]: handler }, stamp: () => stateHeaders(services, null) };
}

type Done = Extract<AdminOutcome, { ok: true }>;

/** `timeoutMs` counts from the request's arrival. */
export async function administer(
  services: Services,
  { startedAt }: Exchange,
  request: AdminRequest,
  timeoutMs: number,
  answer: (done: Done) => unknown,
): Promise<Response | Problem> {
  const leftMs = timeoutMs - (services.clock.monotonic() - startedAt);
  const outcome = await services.replica.administer(request, { timeoutMs: Math.max(0, leftMs) });
  if (!outcome.ok) return adminProblem(outcome);
  return Response.json(answer(outcome), { headers: stateHeaders(services, null) });
}

const CODES: Readonly<Record<Extract<AdminOutcome, { ok: false }>["reason"], ProblemCode>> = {
  invalid: "invalid_request",
  not_found: "not_found",
  conflict: "conflict",
  changed: "precondition_failed",
  unavailable: "unavailable",
  not_leader: "unavailable",
  unknown: "outcome_unknown",
};

function adminProblem({ reason, detail }: Extract<AdminOutcome, { ok: false }>): Problem {
  return problem(CODES[reason] ?? "unavailable", `${detail}.`);
}
