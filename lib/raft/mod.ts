// The consensus core's public face.
export * from "./configuration.ts";
export * from "./entry.ts";
export * from "./identity.ts";
export * from "./invariants.ts";
export type * from "./messages.ts";
export { majority, quorumValue, voteResult } from "./quorum.ts";
export { Raft } from "./raft.ts";
export type * from "./ready.ts";
export { BrokenInvariant } from "./state.ts";
