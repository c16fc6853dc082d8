// A write on its way: to the leader's URL where that is wished, else into the replica, and its ending back out.
import { idOf } from "../raft/mod.ts";
import type { Outcome } from "../replica/api.ts";
import type { Exchange } from "./exchange.ts";
import { refusalProblem, stateHeaders, unknownProblem } from "./ending.ts";
import { decodeResult, encodeCommand, type KvCommand, type KvResult } from "../kv/mod.ts";
import { type Checked, type Problem, problem, problemResponse } from "./problem.ts";
import type { Services } from "./services.ts";
import { rawTarget } from "./target.ts";

export type Written = { readonly index: number; readonly term: number; readonly result: KvResult };

/** Proposes, and waits for the ending; `timeoutMs` counts from the request's arrival. */
export async function write(
  { replica, clock }: Services,
  { startedAt }: Exchange,
  command: KvCommand,
  timeoutMs: number,
): Promise<Checked<Written>> {
  const leftMs = timeoutMs - (clock.monotonic() - startedAt);
  if (leftMs <= 0) return { ok: false, problem: refusalProblem("deadline") };
  const outcome: Outcome = await replica.propose(encodeCommand(command), { timeoutMs: leftMs });
  switch (outcome.type) {
    case "done":
      return {
        ok: true,
        value: { index: outcome.index, term: outcome.term, result: decodeResult(outcome.result) },
      };
    case "refused":
      return { ok: false, problem: refusalProblem(outcome.reason) };
    case "unknown":
      return { ok: false, problem: unknownProblem(outcome.reason) };
  }
}

/** fly.io's proxy repeats requests with bodies up to so many bytes. */
const MAX_REPLAY_BYTES = 1_000_000;

/** On a follower, unless it forwards: where the write is to go instead; null = forward it. */
export function redirectToLeader(services: Services, { request }: Exchange): Response | null {
  const { leaderRouting, glance, directory } = services;
  if (leaderRouting === "forward") return null;
  const { leaderId, replica } = glance();
  if (leaderId === null || leaderId === replica) return null;
  const known = directory();
  const url = (known.get(leaderId) ?? known.get(idOf(leaderId)))?.url ?? null;
  if (url === null) return null;
  if (leaderRouting === "fly-replay") return replay(services, request, url);
  const location = url.replace(/\/+$/, "") + rawTarget(request.url);
  return new Response(null, {
    status: 307,
    headers: { ...stateHeaders(services, null), Location: location },
  });
}

/**
 * One replay and no more: what came here by one (fly-replay-src is there then) is forwarded, so that it never circles.
 * fly.io's proxy acts on the header whatever the status is (its own libraries send 409); should the answer reach a client
 * after all, it says what is true: nothing was done.
 */
function replay(services: Services, request: Request, leaderUrl: string): Response | null {
  const machine = flyMachine(leaderUrl);
  if (machine === null || !cameThroughFly(request)) return null;
  if (request.headers.has("fly-replay-src") || request.headers.has("upgrade")) return null;
  const length = request.body === null ? 0 : Number(request.headers.get("content-length") ?? NaN);
  if (!(length <= MAX_REPLAY_BYTES)) return null;
  const detail =
    "This node does not lead; nothing was done. fly.io's proxy was asked to repeat it at the leader.";
  return problemResponse(problem("conflict", detail), {
    ...stateHeaders(services, null),
    "fly-replay": `instance=${machine};state=coracle-leader`,
  });
}

/** Machine and node ids differ: a volume keeps its node's id under another machine. */
function flyMachine(url: string): string | null {
  return /^([a-z0-9]+)\.vm\.[a-z0-9-]+\.internal$/.exec(URL.parse(url)?.hostname ?? "")?.[1] ?? null;
}

/** These headers are always set by the proxy; inside the private network nobody would repeat anything. */
function cameThroughFly({ headers }: Request): boolean {
  return headers.has("fly-forwarded-port") && headers.has("fly-client-ip");
}

/** What api.md promises for writes and is not built yet; null = nothing of it is asked for. */
export function notBuiltYet({ request, query }: Exchange): Problem | null {
  const named = query.has("ttl")
    ? "ttl"
    : query.has("lease")
    ? "lease"
    : request.headers.has("idempotency-key")
    ? "Idempotency-Key"
    : null;
  return named === null
    ? null
    : problem("not_implemented", `${named} is not built yet; nothing was done. Send the write without it.`);
}
