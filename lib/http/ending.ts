// The endings of reads and writes as people see them: refused is always 503 and definitely not done, unknown is 504 and
// only for writes.
import type { Outcome, ReadPermit } from "../replica/api.ts";
import { type Problem, problem } from "./problem.ts";
import type { ReadPosition } from "./read.ts";
import { leaderOf, type Services } from "./services.ts";

type Refusal = Extract<ReadPermit, { ok: false }>["reason"];

const REFUSALS: Readonly<Record<Refusal, Problem>> = {
  no_leader: problem("unavailable", "No leader is known, or leadership is changing; nothing was done."),
  deadline: problem("unavailable", "It could not be begun before the deadline; nothing was done."),
  overloaded: problem("overloaded", "Too much is waiting already; nothing was done."),
  disk_full: problem(
    "unavailable",
    "The disk is full but for its reserve: writes are refused until there is space.",
  ),
  stopping: problem("unavailable", "This node is stopping; nothing was done."),
  not_ready: problem(
    "unavailable",
    "This node is not ready: its cluster is forming, or it is being brought up.",
  ),
  removed: problem("unavailable", "This node was removed from the cluster; ask another one."),
  unknown_command: problem(
    "not_implemented",
    "This node or the leader does not know such a command: it is of another version; nothing was done.",
  ),
  too_stale: problem(
    "unavailable",
    "What this node has is older than max_staleness allows, or of unknown age.",
  ),
};

const UNKNOWN: Readonly<Record<Extract<Outcome, { type: "unknown" }>["reason"], Problem>> = {
  deadline: problem(
    "outcome_unknown",
    "The deadline passed while the write was on its way: it may or may not be done.",
  ),
  link_lost: problem(
    "outcome_unknown",
    "The link to the leader was lost while the write was on its way: it may or may not be done.",
  ),
  stopping: problem(
    "outcome_unknown",
    "This node stopped while the write was on its way: it may or may not be done.",
  ),
};

export function refusalProblem(reason: Refusal): Problem {
  return REFUSALS[reason];
}

export function unknownProblem(reason: Extract<Outcome, { type: "unknown" }>["reason"]): Problem {
  return UNKNOWN[reason];
}

/**
 * The headers that each response of a read or write carries. An unknown leader is an empty value. A stale read says how
 * old it may be, in seconds, rounded up.
 */
export function stateHeaders(
  { glance, node }: Services,
  at: ReadPosition | null,
): Record<string, string> {
  const status = glance();
  return {
    ...at?.stalenessMs === undefined ? {} : { "Coracle-Staleness": stalenessText(at.stalenessMs) },
    "Coracle-Revision": String(at?.index ?? status.appliedIndex),
    "Coracle-Term": String(at?.term ?? status.term),
    "Coracle-Node": node.id,
    "Coracle-Leader": leaderOf(status) ?? "",
  };
}

function stalenessText(ms: number | null): string {
  return ms === null ? "unknown" : (Math.ceil(ms) / 1000).toFixed(3);
}
