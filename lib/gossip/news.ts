// What gossip carries, and which of two statements is newer (design §5). Nothing here can undo a newer statement, however
// late or often an older one arrives.

/** A replica as the core names it; opaque here. */
export type ReplicaId = string;

/** A committed configuration: the index of its entry and who is in it. */
export type ConfigurationNews = {
  readonly index: number;
  readonly voters: readonly ReplicaId[];
  readonly outgoing: readonly ReplicaId[];
  readonly learners: readonly ReplicaId[];
};

/** What a replica says of itself. Only it makes new versions. */
export type MemberNews = {
  readonly replica: ReplicaId;
  /** Durable count of its starts, and a counter within this one; together they order its statements. */
  readonly bootCount: number;
  readonly counter: number;
  /** Where it can be reached. */
  readonly url: string;
  readonly region: string;
  /** Version of the executable. */
  readonly software: string;
  /** What it wants to be: a learner is never promoted. */
  readonly role: "voter" | "learner";
  /** Index up to which it has applied, as of this statement, and its state hash at `hashIndex`. */
  readonly hashIndex: number;
  readonly hash: string;
  /** Members that it has no link to, at most 16. */
  readonly unreachable: readonly ReplicaId[];
};

/** Who leads, as of a term. */
export type LeaderNews = { readonly term: number; readonly leaderId: ReplicaId };

export type News = {
  readonly members: readonly MemberNews[];
  /** The newest configuration known to be committed. */
  readonly configuration: ConfigurationNews | null;
  readonly leader: LeaderNews | null;
};

/** What a replica knows, by version only: enough for another to see what it lacks. */
export type Digest = {
  readonly versions: readonly (readonly [replica: ReplicaId, bootCount: number, counter: number])[];
  readonly configurationIndex: number;
  readonly leaderTerm: number;
  /** Whether the receiver should answer with a digest of its own where it lacks something. */
  readonly mayAsk: boolean;
};

export type Version = { readonly bootCount: number; readonly counter: number };

export function isListed({ voters, outgoing, learners }: ConfigurationNews, replica: ReplicaId): boolean {
  return voters.includes(replica) || outgoing.includes(replica) || learners.includes(replica);
}

/** Whether `a` was said after `b` by the same replica. */
export function isNewer(a: Version, b: Version): boolean {
  return a.bootCount > b.bootCount || a.bootCount === b.bootCount && a.counter > b.counter;
}
