// A replica in memory whose cluster is given: the same Replica as everywhere, over lib/memory, with the record of a
// finished formation on its disk before it starts. What such a process forgets when it dies is what its cluster loses:
// it must never come back under its id.
import { MemoryDisk } from "../memory/mod.ts";
import { openAppliedState } from "../replica/applied-state.ts";
import { clusterIdOf } from "../replica/cluster-id.ts";
import { type DurableLog, openDurableLog } from "../replica/durable-log.ts";
import { claimIdentity, type LocalIdentity } from "../replica/identity.ts";
import type { RaftLimits } from "../replica/options.ts";
import type { Clock, Links, Log, Random, Scheduler, StateMachineFactory } from "../replica/ports.ts";
import { Replica } from "../replica/replica.ts";

/** The world as an adapter sees it. */
export type Host = {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly log: Log;
  /** As of a replica: the process has to end. */
  readonly fatal: (message: string) => void;
  /** Runs `task` right after the present piece of work (queueMicrotask). */
  readonly soon: (task: () => void) => void;
};

/** How fast this front door's network is, and how dear its messages are. */
export type TimingProfile = {
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly tickMs: number;
  readonly raft: RaftLimits;
};

export type MemoryReplicaOptions<Query, Answer> = {
  readonly host: Host;
  readonly id: string;
  /** Every id of the cluster, this one's too. */
  readonly ids: readonly string[];
  readonly links: Links;
  readonly machine: StateMachineFactory<Query, Answer>;
  readonly profile: TimingProfile;
};

export function memoryReplica<Query, Answer>(
  { host, id, ids, links, machine, profile }: MemoryReplicaOptions<Query, Answer>,
): Replica<Query, Answer> {
  const disk = new MemoryDisk();
  const durableLog = openDurableLog({
    table: disk.openLog(),
    witness: disk.openWitness(),
    fatal: host.fatal,
  });
  const state = openAppliedState({ store: disk.openState(), fatal: host.fatal });
  if (!durableLog.ok || !state.ok) throw new Error("a new disk in memory is not empty");
  const { clock, scheduler, random, log, fatal } = host;
  const { heartbeatMs, electionMs, tickMs, raft } = profile;
  return new Replica({
    ...{ clock, scheduler, random, log, fatal, links, machine, heartbeatMs, electionMs, raft },
    identity: formedIdentity(durableLog.log, id, ids, random),
    durableLog: durableLog.log,
    state: state.state,
    space: disk.space,
    expected: ids,
    limits: { tickMs },
  });
}

/** The identity of a node whose cluster has formed already: ids without incarnations, because no disk outlives a process. */
function formedIdentity(log: DurableLog, id: string, ids: readonly string[], random: Random): LocalIdentity {
  const record = [...ids].sort();
  let claimed: LocalIdentity | null = null;
  log.saveNode({
    id,
    incarnation: "",
    bootCount: 0,
    clusterId: clusterIdOf(record),
    record,
    started: true,
    peerBoots: {},
  }, () => {});
  claimIdentity({ durableLog: log, id, random }, (claim) => claimed = claim.ok ? claim.identity : null);
  if (claimed === null) throw new Error("a disk in memory does not take a node's record");
  return claimed;
}
