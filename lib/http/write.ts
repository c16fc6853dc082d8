// A write on its way: to the leader's URL where that is wished, else into the replica, and its ending back out.
import type { Outcome } from "../replica/api.ts";
import type { Exchange } from "./exchange.ts";
import { refusalProblem, stateHeaders, unknownProblem } from "./ending.ts";
import { decodeResult, encodeCommand, type KvCommand, type KvResult } from "../kv/mod.ts";
import { type Checked, type Problem, problem } from "./problem.ts";
import { leaderOf, type Services } from "./services.ts";
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
  if (services.leaderRouting === "forward") return null;
  const status = services.glance();
  const leader = leaderOf(status);
  if (leader === null || status.leaderId === status.replica) return null;
  if (services.leaderRouting === "fly-replay") return replay(services, request, leader);
  const url = services.directory().get(leader)?.url ?? null;
  if (url === null) return null;
  const location = url.replace(/\/+$/, "") + rawTarget(request.url);
  return new Response(null, {
    status: 307,
    headers: { ...stateHeaders(services, null), Location: location },
  });
}

/** One replay and no more: what came here by one (fly-replay-src is there then) is forwarded, so that it never circles. */
function replay(services: Services, request: Request, leader: string): Response | null {
  if (request.headers.has("fly-replay-src") || request.headers.has("upgrade")) return null;
  const length = request.body === null ? 0 : Number(request.headers.get("content-length") ?? NaN);
  if (!(length <= MAX_REPLAY_BYTES)) return null;
  const headers = {
    ...stateHeaders(services, null),
    "fly-replay": `instance=${leader};state=coracle-leader`,
  };
  return new Response(null, { status: 200, headers });
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
