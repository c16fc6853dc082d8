// A configuration: one or two voter groups and the learners (Raft §6, diss. §4.3). Nobody outside this file and
// quorum.ts asks whether it is joint.
import type { ReplicaId } from "./identity.ts";

export type Configuration = {
  /** C_new, or the only group. Never empty once a node has started. */
  readonly voters: readonly ReplicaId[];
  /** C_old while a change is under way; empty otherwise. */
  readonly outgoing: readonly ReplicaId[];
  /** Replicate and serve reads; never vote, are never counted. */
  readonly learners: readonly ReplicaId[];
};

/** A configuration and the index of the entry that brought it; index 0 is the first configuration of a cluster. */
export type ConfigurationAt = { readonly index: number; readonly configuration: Configuration };

/** The one configuration of a new cluster: these voters, sorted. */
export function firstConfiguration(voters: readonly ReplicaId[]): Configuration {
  return { voters: [...voters].sort(), outgoing: [], learners: [] };
}

export function isJoint(configuration: Configuration): boolean {
  return configuration.outgoing.length > 0;
}

/** The voter groups that must each agree: one, or two in the joint phase. */
export function voterGroups(configuration: Configuration): readonly (readonly ReplicaId[])[] {
  return isJoint(configuration) ? [configuration.voters, configuration.outgoing] : [configuration.voters];
}

export function isVoter(configuration: Configuration, replica: ReplicaId): boolean {
  return configuration.voters.includes(replica) || configuration.outgoing.includes(replica);
}

/** Everybody whose vote counts, each once. */
export function allVoters(configuration: Configuration): ReplicaId[] {
  return [...new Set([...configuration.voters, ...configuration.outgoing])];
}

export function isMember(configuration: Configuration, replica: ReplicaId): boolean {
  return isVoter(configuration, replica) || configuration.learners.includes(replica);
}

/** Everybody that is replicated to, each once. */
export function members(configuration: Configuration): ReplicaId[] {
  return [...new Set([...configuration.voters, ...configuration.outgoing, ...configuration.learners])];
}

/** The bytes of a configuration entry: JSON, so that a person can read a log. */
export function encodeConfiguration({ voters, outgoing, learners }: Configuration): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ voters, outgoing, learners }));
}

/** The inverse of {@link encodeConfiguration}; throws a SyntaxError on bytes that are none. */
export function decodeConfiguration(bytes: Uint8Array): Configuration {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  return {
    voters: replicaList(value, "voters"),
    outgoing: replicaList(value, "outgoing"),
    learners: replicaList(value, "learners"),
  };
}

function replicaList(value: unknown, field: string): readonly ReplicaId[] {
  const list: unknown = typeof value === "object" && value !== null ? Reflect.get(value, field) : undefined;
  if (!Array.isArray(list) || list.some((item) => typeof item !== "string")) {
    throw new SyntaxError(`a configuration needs a list of strings "${field}"`);
  }
  return list as readonly ReplicaId[];
}
