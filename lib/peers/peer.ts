// All links to one process of one peer. If both sides dialled, both send over the link that the smaller replica id
// dialled; the other one still takes what is under way until its dialler closes it.
import type { Channel, PeerIdentity } from "../replica/ports.ts";
import type { ReplicaId } from "../raft/mod.ts";
import type { Link } from "./link.ts";

export class Peer {
  /** As of the latest handshake. */
  identity: PeerIdentity;
  readonly #ownIsSmaller: boolean;
  readonly #links: Record<Channel, Link[]> = { control: [], bulk: [] };
  /** The link to send over; null = none is open. */
  control: Link | null = null;
  bulk: Link | null = null;

  constructor(own: ReplicaId, identity: PeerIdentity) {
    this.identity = identity;
    this.#ownIsSmaller = own < identity.replica;
  }

  /** Whether a link in this direction is the one that stays. */
  isPreferred(dialled: boolean): boolean {
    return dialled === this.#ownIsSmaller;
  }

  add(link: Link): void {
    this.#links[link.channel].push(link);
    this.#choose(link.channel);
  }

  remove(link: Link): void {
    this.#links[link.channel] = this.#links[link.channel].filter((other) => other !== link);
    this.#choose(link.channel);
  }

  links(): Link[] {
    return [...this.#links.control, ...this.#links.bulk];
  }

  /** Those that this node dialled and that are not sent over: its to close. */
  redundant(channel: Channel): Link[] {
    return this.#links[channel].filter((link) => link.dialled && link !== this[channel]);
  }

  /** Whether one more link that this node dialled would be of no use. */
  hasEnough(channel: Channel): boolean {
    return this.#links[channel].some((link) => link.dialled || this.isPreferred(link.dialled));
  }

  heardAt(): number {
    return this.links().reduce((latest, link) => Math.max(latest, link.heardAt), -Infinity);
  }

  /** Preferred direction first, then the newest. */
  #choose(channel: Channel): void {
    const links = this.#links[channel];
    this[channel] = links.findLast((link) => this.isPreferred(link.dialled)) ?? links.at(-1) ?? null;
  }
}
