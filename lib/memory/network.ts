// Links in memory: every attached node is linked to every other, messages arrive in order per pair and channel after a
// latency, and links can be cut. For tests and adapters; the simulator has a worse world of its own.
import type { ReplicaId } from "../raft/mod.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import type { Links, PeerIdentity, Scheduler } from "../replica/ports.ts";
import { idOf } from "../raft/mod.ts";

export type MemoryNetworkOptions = {
  readonly scheduler: Pick<Scheduler, "after">;
  /** ms from one node to another. Default 1. */
  readonly latencyMs?: (from: string, to: string) => number;
};

export type Attachment = {
  /** Asked anew for each link, as a handshake does. */
  readonly identity: () => PeerIdentity;
  readonly admit?: (peer: PeerIdentity) => { readonly ok: boolean };
};

export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #nodes = new Set<MemoryLinks>();
  /** Pairs of ids between which nothing passes; silent ones do not know it. */
  readonly #cuts = new Map<string, { readonly silent: boolean }>();

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
  }

  attach(attachment: Attachment): Links {
    return new MemoryLinks(this, attachment);
  }

  /** Nothing passes between two ids. `silent`: neither end is told, as when a cable is pulled. */
  cut(a: string, b: string, { silent = false } = {}): void {
    this.#cuts.set(pair(a, b), { silent });
    if (!silent) this.#eachPair((one, other) => pair(one.id, other.id) === pair(a, b) && one.unlink(other));
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(pair(a, b));
    this.#linkAll();
  }

  healAll(): void {
    this.#cuts.clear();
    this.#linkAll();
  }

  /** Used by the links: a node listens from now on. */
  joined(node: MemoryLinks): void {
    this.#nodes.add(node);
    this.#linkAll();
  }

  /** Used by the links: a node is gone. */
  left(node: MemoryLinks): void {
    this.#nodes.delete(node);
    for (const other of this.#nodes) other.unlink(node);
  }

  /** Used by the links: carries one message. */
  carry(from: MemoryLinks, to: MemoryLinks, deliver: () => void): void {
    if (this.#cuts.has(pair(from.id, to.id))) return;
    this.#options.scheduler.after(this.#options.latencyMs?.(from.id, to.id) ?? 1, () => {
      if (!this.#cuts.has(pair(from.id, to.id))) deliver();
    });
  }

  #linkAll(): void {
    this.#eachPair((one, other) => {
      const cut = this.#cuts.get(pair(one.id, other.id));
      if (cut === undefined && one.welcomes(other) && other.welcomes(one)) {
        one.link(other);
        other.link(one);
      }
    });
  }

  #eachPair(act: (one: MemoryLinks, other: MemoryLinks) => void): void {
    const nodes = [...this.#nodes];
    nodes.forEach((one, at) => nodes.slice(at + 1).forEach((other) => act(one, other)));
  }
}

class MemoryLinks implements Links {
  readonly #network: MemoryNetwork;
  readonly #attachment: Attachment;
  readonly #peers = new Map<MemoryLinks, PeerIdentity>();
  #listener: Parameters<Links["listen"]>[0] | null = null;

  constructor(network: MemoryNetwork, attachment: Attachment) {
    this.#network = network;
    this.#attachment = attachment;
  }

  get id(): string {
    return idOf(this.#attachment.identity().replica);
  }

  send(to: ReplicaId, message: PeerMessage): boolean {
    for (const [node, { replica }] of this.#peers) {
      if (replica !== to) continue;
      const from = this.#attachment.identity().replica;
      this.#network.carry(this, node, () => {
        // A link that was closed meanwhile has lost what was on it.
        if (this.#peers.has(node) && node.#peers.has(this)) node.#listener?.message(from, message);
      });
      return true;
    }
    return false;
  }

  dial(): void {}

  connected(): readonly PeerIdentity[] {
    return [...this.#peers.values()];
  }

  listen(listener: Parameters<Links["listen"]>[0]): void {
    this.#listener = listener;
    this.#network.joined(this);
  }

  close(): void {
    this.#listener = null;
    this.#peers.clear();
    this.#network.left(this);
  }

  welcomes(other: MemoryLinks): boolean {
    const [mine, theirs] = [this.#attachment.identity(), other.#attachment.identity()];
    const sameCluster = mine.clusterId === null || theirs.clusterId === null ||
      mine.clusterId === theirs.clusterId;
    return sameCluster && (this.#attachment.admit?.(theirs).ok ?? true);
  }

  link(other: MemoryLinks): void {
    if (this.#peers.has(other)) return;
    const peer = other.#attachment.identity();
    this.#peers.set(other, peer);
    this.#listener?.up(peer);
  }

  unlink(other: MemoryLinks): void {
    const peer = this.#peers.get(other);
    if (peer === undefined) return;
    this.#peers.delete(other);
    this.#listener?.down(peer);
    other.unlink(this);
  }
}

function pair(a: string, b: string): string {
  return [a, b].sort().join(" ");
}
