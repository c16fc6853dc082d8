// Links over somebody else's network: no handshake, no connections, messages may be lost, late or out of order. Everybody
// of the given configuration is linked, always; nobody is introduced, because there is nothing to find out.
import type { ReplicaId } from "../raft/mod.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import type { LinkListener, Links } from "../replica/ports.ts";
import { decodeWire, encodeWire, type Wire } from "./wire.ts";

export type WireLinksOptions = {
  readonly self: ReplicaId;
  readonly members: readonly ReplicaId[];
  /** Hands one message to the network. */
  readonly deliver: (to: ReplicaId, wire: Wire) => void;
  /** Runs `task` right after the present piece of work (queueMicrotask). */
  readonly soon: (task: () => void) => void;
  /** Monotonic ms. */
  readonly now: () => number;
};

export class WireLinks implements Links {
  readonly #options: WireLinksOptions;
  readonly #peers: ReadonlySet<ReplicaId>;
  readonly #heardAt = new Map<ReplicaId, number>();
  #listener: LinkListener | null = null;
  #outgoing: (readonly [to: ReplicaId, wire: Wire])[] = [];

  constructor(options: WireLinksOptions) {
    this.#options = options;
    this.#peers = new Set(options.members.filter((member) => member !== options.self));
  }

  /**
   * Leaves after the piece of work that sends it: what that work applies is answered first, so that no other replica
   * can know of a commit before its client does.
   */
  send(to: ReplicaId, message: PeerMessage): boolean {
    const wire = this.#peers.has(to) ? encodeWire(message) : null;
    if (wire === null) return false;
    if (this.#outgoing.length === 0) this.#options.soon(() => this.#flush());
    this.#outgoing.push([to, wire]);
    return true;
  }

  /** A message of the network. False: it is not one of a replica. */
  receive(from: string, wire: Wire): boolean {
    const message = this.#peers.has(from) ? decodeWire(from, this.#options.self, wire) : null;
    if (message === null) return false;
    this.#heardAt.set(from, this.#options.now());
    this.#listener?.message(from, message);
    return true;
  }

  /** When anything came from this replica last, monotonic ms; −Infinity = never. */
  heardAt(peer: ReplicaId): number {
    return this.#heardAt.get(peer) ?? -Infinity;
  }

  dial(): void {}

  connected(): readonly [] {
    return [];
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  close(): void {
    this.#listener = null;
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    for (const [to, wire] of outgoing) this.#options.deliver(to, wire);
  }
}
