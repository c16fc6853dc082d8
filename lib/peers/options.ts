// What PeerLinks is made of, and the bounds it keeps.
import type { Clock, Log, PeerIdentity, Random, Scheduler } from "../replica/ports.ts";
import type { ReplicaId } from "../raft/mod.ts";
import type { Process } from "./successors.ts";
import type { SocketEvents } from "./wire.ts";

export type PeerLinksOptions = {
  /** Who this node is, asked anew for each handshake: the cluster id appears when a cluster is formed. */
  readonly identity: () => PeerIdentity;
  /** The cluster secret; null = none, and then only loopback peers are accepted and dialled. */
  readonly secret: string | null;
  readonly log: Log;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  /** For the jitter of backoff only; challenges come from the system's generator. */
  readonly random: Random;
  /** Whether a peer that proved the secret may be linked: incarnation, boot count and nonce against what is remembered. */
  readonly admit: (peer: PeerIdentity) => Admission;
  /** The last process of a replica that is known from before this one began: it may still run. Default: none. */
  readonly remembered?: (replica: ReplicaId) => Process | null;
  readonly limits?: Partial<LinkLimits>;
};

/** `reason` is a sentence; it is logged here and told to the peer. `folder`: the peer's data folder is a copy or was rolled back. */
export type Admission =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly folder?: "stale" };

export type LinkLimits = {
  /** What may wait for one peer on its control link before entries and gossip are dropped. Default 1 MiB. */
  readonly controlBytes: number;
  /** What may wait for one peer on its bulk link before entries are dropped and forwards refused. Default 16 MiB. */
  readonly bulkBytes: number;
  /** Past this multiple of its bound, filled by what is never dropped, a link is closed. Default 4. */
  readonly hardFactor: number;
  /** A larger frame closes the link that brought it; a larger message is not sent. Default 48 MiB. */
  readonly maxFrameBytes: number;
  /** A frame that has grown to this is sent before the flush. Default 4 MiB. */
  readonly splitBytes: number;
  /** From dialling, or from being accepted, to the end of the handshake. Default 3,000 ms. */
  readonly handshakeMs: number;
  /** A link over which nothing came for so long is closed; keepalives go out five times as often. Default 5,000 ms. */
  readonly silenceMs: number;
  /** How long a process that was replaced, as another one says, may take to say that it lives. Default 1,000 ms. */
  readonly probeMs: number;
  /** Waits between two dials of one address grow from the first to the second, with jitter. Defaults 50 and 2,000 ms. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How long the redundant one of two links still takes what is under way. Default 500 ms. */
  readonly graceMs: number;
  /** Accepted sockets that have not proved anything yet. Default 64. */
  readonly maxHandshakes: number;
};

export const defaultLimits: LinkLimits = {
  controlBytes: 2 ** 20,
  bulkBytes: 16 * 2 ** 20,
  hardFactor: 4,
  maxFrameBytes: 48 * 2 ** 20,
  splitBytes: 4 * 2 ** 20,
  handshakeMs: 3_000,
  silenceMs: 5_000,
  probeMs: 1_000,
  backoffMinMs: 50,
  backoffMaxMs: 2_000,
  graceMs: 500,
  maxHandshakes: 64,
};

/** What Bun.serve keeps for each accepted socket. */
export type PeerSocketData = { readonly events: SocketEvents };

/** What is needed of Bun's server (`Bun.Server<PeerSocketData>` fits). */
export type UpgradeServer = {
  upgrade(request: Request, options: { data: PeerSocketData }): boolean;
  requestIP(request: Request): { readonly address: string } | null;
};

/** A linked peer and how long ago it was last heard, in ms. */
export type ConnectedPeer = PeerIdentity & { readonly lastContactMs: number };
