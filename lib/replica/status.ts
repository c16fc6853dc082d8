// The picture of a replica for people, metrics and routing.
import type { Phase, ReplicaStatus } from "./api.ts";
import type { Applier } from "./applied.ts";
import type { ReplicaOptions } from "./options.ts";
import type { Proposals } from "./proposals.ts";
import type { Running } from "./running.ts";
import type { Space } from "./space.ts";

export function statusOf(
  { identity, durableLog, links }: Pick<ReplicaOptions, "identity" | "durableLog" | "links">,
  phase: Phase,
  waitingFor: string | null,
  running: Running | null,
  commitIndex: number,
  applier: Applier,
  proposals: Proposals,
  space: Space,
): ReplicaStatus {
  const core = running?.status() ?? null;
  const last = core === null ? durableLog.last().index : core.last.index;
  const connected = phase === "stopped" || phase === "failed" ? [] : links.connected();
  return {
    phase,
    waitingFor,
    clusterId: identity.clusterId,
    replica: identity.replica,
    bootCount: identity.bootCount,
    role: core?.role ?? "follower",
    term: core?.currentTerm ?? durableLog.restored().hardState.currentTerm,
    leaderId: core?.leaderId ?? null,
    commitIndex,
    appliedIndex: applier.index,
    appliedTerm: applier.term,
    logTime: applier.time,
    durableIndex: core?.durableIndex ?? last,
    lastIndex: last,
    configuration: core?.configuration ?? null,
    peers: core?.peers ?? [],
    connected: connected.map(({ replica, url, version, lastContactMs }) => ({
      replica,
      url,
      version,
      lastContactMs: lastContactMs ?? null,
    })),
    stalenessMs: running?.stalenessMs() ?? null,
    queuedProposals: proposals.count,
    queuedBytes: proposals.bytes,
    pendingReads: running?.pendingReads ?? 0,
    ready: phase === "running" && running !== null && running.ready(),
    diskFull: space.full,
  };
}
