// The public library: replicate a deterministic state machine of one's own with the parts that the executable is made of.
// examples/bank.ts is a state machine, examples/bank-server.ts runs it on three replicas; lib/cli/serve.ts does so with the
// key-value store.
export type * from "./replica/api.ts";
export type * from "./replica/ports.ts";
export type { ReplicaLimits, ReplicaMetrics, ReplicaOptions } from "./replica/options.ts";
export { type AppliedState, openAppliedState } from "./replica/applied-state.ts";
export { type DurableLog, openDurableLog } from "./replica/durable-log.ts";
export { claimIdentity, type LocalIdentity } from "./replica/identity.ts";
export { Replica } from "./replica/replica.ts";
export { idOf, type ReplicaId } from "./raft/identity.ts";
export { PeerLinks, type PeerLinksOptions } from "./peers/mod.ts";
export * as client from "./client/mod.ts";
export * as host from "./host/mod.ts";
export * as http from "./http/mod.ts";
export * as kv from "./kv/mod.ts";
export * as linearizability from "./simulation/linearizability/mod.ts";
export * as memory from "./memory/mod.ts";
export * as simulation from "./simulation/mod.ts";
export * as storage from "./storage/mod.ts";
