// What the HTTP edge is given: the replica, who this node is, and the bounds it keeps.
import type { KvAnswer, KvQuery } from "../kv/mod.ts";
import type { ReplicaApi } from "../replica/api.ts";
import type { Clock, Log } from "../replica/ports.ts";
import type { Metrics } from "./metrics.ts";

export type NodeInfo = {
  /** The id that people chose, without the incarnation. */
  readonly id: string;
  readonly version: string;
  /** The URL under which others reach this node. */
  readonly advertise: string;
  readonly region: string | null;
};

/** What gossip knows of a member; null = not known. */
export type DirectoryEntry = {
  readonly url: string | null;
  readonly region: string | null;
  readonly version: string | null;
  /** How long ago it said something new; absent where gossip knows nothing of it. */
  readonly ageMs?: number;
  /** Ids of members that said lately that they have no link to it. */
  readonly unreachableFrom?: readonly string[];
};

/** Messages between replicas, counted since the start of the process. */
export type Traffic = {
  readonly sent: number;
  readonly dropped: number;
  readonly received: number;
};

/** What the process has used, and since when. */
export type Usage = {
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** User and system time. */
  readonly cpuSeconds: number;
  /** Wall clock, since the epoch. */
  readonly startedAtSeconds: number;
};

/** What the app needs of the runtime beyond web standards. */
export type Runtime = {
  readonly sha256: (text: string) => Uint8Array;
  /** Compares byte strings of one length in a time that depends on the length alone. */
  readonly timingSafeEqual: (a: Uint8Array, b: Uint8Array) => boolean;
  readonly usage: () => Usage;
};

export type AppOptions = {
  readonly replica: ReplicaApi<KvQuery, KvAnswer>;
  readonly node: NodeInfo;
  readonly clock: Clock;
  /** Bearer tokens that clients may show; empty = none are asked for, and only loopback clients are served unless `open`. */
  readonly tokens: readonly string[];
  readonly open: boolean;
  readonly maxValueBytes: number;
  /**
   * What a follower does with a write: send it on over its peer link, answer 307 to the leader, or have fly.io's proxy
   * repeat it there (where that proxy brought it, and the leader's URL names a machine of fly.io).
   */
  readonly leaderRouting: "forward" | "redirect" | "fly-replay";
  readonly log: Log;
  readonly metrics: Metrics;
  /** What is known of members, by id or `id~incarnation`. Default: nothing. */
  readonly directory?: () => ReadonlyMap<string, DirectoryEntry>;
  /** Default: not shown. */
  readonly traffic?: () => Traffic;
  /** Of the runtime; `bunRuntime` of server.ts. */
  readonly runtime: Runtime;
  /** Requests being answered at once; past it 503. Default 4096. */
  readonly maxOpenRequests?: number;
  /** Bytes of request bodies held at once; past it 503. Default 64 MiB. */
  readonly maxBodyBytes?: number;
};

/** What the server tells the app about a request that is not in the request: handed to `app.fetch` as its env. */
export type RequestBindings = {
  /** The address of the other end of the connection (never taken from a header); null = not known. */
  readonly remoteAddress: (request: Request) => string | null;
};
