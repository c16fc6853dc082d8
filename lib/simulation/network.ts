// The virtual network: links between nodes that come up and go down, and messages that are late, lost, doubled or out of
// order on them. It promises what the port promises and nothing more: a Forward is never doubled (no link resends).
import type { ReplicaId } from "../raft/mod.ts";
import { messageBytes, type PeerMessage } from "../replica/peer-messages.ts";
import type { Channel, LinkListener, Links, PeerIdentity } from "../replica/ports.ts";
import { Holds, type Release } from "./holds.ts";
import type { RandomSource } from "./random.ts";
import type { Timeline } from "./time.ts";
import { describeMessage, type Trace } from "./trace.ts";
import { calm, type Weather } from "./weather.ts";

/** What the network needs to know of a running process. */
export type Endpoint = {
  readonly name: string;
  identity(): PeerIdentity;
  /** Whether a peer may be linked, judged by what was seen of it before. */
  admit(peer: PeerIdentity): boolean;
  /** Runs `task` in a turn of the process: now, or when it is resumed; never once it is gone. */
  turn(task: () => void): void;
};

/** A process that listens. */
type Side = {
  readonly endpoint: Endpoint;
  readonly listener: LinkListener;
  /** The addresses that it tries, whoever is there. */
  readonly dialled: Set<string>;
  /** Its open links, by who was at the other end when they opened. */
  readonly routes: Map<ReplicaId, Route>;
  /** Who those are; null = to be made again. */
  peers: readonly PeerIdentity[] | null;
};

/** One end of a link: its process, who the other was when the link opened, and the way there. */
type End = { readonly side: Side; readonly peer: PeerIdentity; readonly way: Way };
type Link = { open: boolean; readonly ends: readonly [End, End] };
type Route = { readonly link: Link; readonly here: End; readonly there: End };

/** What is known of messages in one direction between two nodes, whatever links come and go. */
type Way = {
  /** Who blocks it just now. */
  blocks: number;
  /** What messages take beside what the weather makes of them, ms. */
  lagMs: number;
  readonly lags: Holds<number>;
  inFlightBytes: number;
  /** When the last message of each channel arrives. */
  readonly lastArrival: Record<Channel, number>;
};

export type NetworkCounts = {
  sent: number;
  delivered: number;
  lost: number;
  doubled: number;
  refused: number;
};

export class Network {
  weather: Weather = calm;
  /** Told of each message that leaves a node, before it does. */
  readonly onSend = new Set<(from: string, message: PeerMessage) => void>();
  readonly counts: NetworkCounts = { sent: 0, delivered: 0, lost: 0, doubled: 0, refused: 0 };
  readonly #timeline: Timeline;
  readonly #random: RandomSource;
  readonly #trace: Trace;
  readonly #observe: (from: ReplicaId, message: PeerMessage) => void;
  readonly #sides = new Map<string, Side>();
  readonly #links = new Map<string, Link>();
  readonly #connecting = new Set<string>();
  readonly #ways = new Map<string, Way>();
  /** Where a node is, if no longer where it was at first. */
  readonly #moved = new Map<string, string>();

  constructor(
    timeline: Timeline,
    random: RandomSource,
    trace: Trace,
    observe: (from: ReplicaId, message: PeerMessage) => void,
  ) {
    this.#timeline = timeline;
    this.#random = random;
    this.#trace = trace;
    this.#observe = observe;
  }

  /** The Links port of one process. */
  linksOf(endpoint: Endpoint): Links {
    const name = endpoint.name;
    const dialled = new Set<string>();
    let side: Side | null = null;
    return {
      listen: (listener) => {
        side = { endpoint, listener, dialled, routes: new Map(), peers: null };
        this.#sides.set(name, side);
        for (const other of this.#sides.keys()) this.#connectSoon(name, other);
      },
      dial: (url) => {
        if (dialled.has(url) || url === this.addressOf(name)) return;
        dialled.add(url);
        for (const other of this.#sides.keys()) {
          if (this.addressOf(other) === url) this.#connectSoon(name, other);
        }
      },
      connected: () => side === null ? [] : peersOf(side),
      send: (to, message, channel) => {
        const route = side?.routes.get(to);
        return route !== undefined && this.#send(route, message, channel);
      },
      close: () => this.detach(name, 0),
    };
  }

  /** Where a node listens just now. */
  addressOf(name: string): string {
    return this.#moved.get(name) ?? firstAddressOf(name);
  }

  /** From its next start on it listens at an address where nobody has been before; at the old one there is nobody. */
  move(name: string): void {
    const times = Number(this.addressOf(name).split("/")[3] ?? 0);
    this.#moved.set(name, `${firstAddressOf(name)}/${times + 1}`);
  }

  /** The process is gone. The others notice after `noticeMs`. */
  detach(name: string, noticeMs: number): void {
    const gone = this.#sides.get(name);
    if (gone === undefined) return;
    this.#sides.delete(name);
    for (const { link, there: { side, peer } } of [...gone.routes.values()]) {
      const other = side.endpoint.name;
      this.#links.delete(pair(name, other));
      close(link);
      this.#timeline.after(noticeMs, () => this.#tellDown(side, peer));
      this.#timeline.after(noticeMs, () => this.#connectSoon(other, name));
    }
  }

  /** Messages from → to are lost until `unblock`; calls nest. Where the ends notice, the link goes down after a while. */
  block(from: string, to: string, noticeMs: number | null): void {
    this.#way(from, to).blocks++;
    const link = this.#links.get(pair(from, to));
    if (link === undefined || noticeMs === null) return;
    this.#timeline.after(noticeMs, () => {
      if (this.isBlocked(from, to)) this.#closeLink(pair(from, to), link);
    });
  }

  unblock(from: string, to: string): void {
    const way = this.#way(from, to);
    way.blocks = Math.max(0, way.blocks - 1);
    this.#connectSoon(from, to);
  }

  /** Messages from → to take so much longer until the release. */
  slow(from: string, to: string, delayMs: number): Release {
    return this.#way(from, to).lags.hold(delayMs);
  }

  unblockAll(): void {
    for (const way of this.#ways.values()) way.blocks = 0;
    for (const a of this.#sides.keys()) {
      for (const b of this.#sides.keys()) if (a < b) this.#connectSoon(a, b);
    }
  }

  isBlocked(from: string, to: string): boolean {
    return (this.#ways.get(`${from}>${to}`)?.blocks ?? 0) > 0;
  }

  /** Ends an open link from outside (a reset); it is dialled again. */
  reset(a: string, b: string): void {
    const link = this.#links.get(pair(a, b));
    if (link !== undefined) this.#closeLink(pair(a, b), link);
  }

  #way(from: string, to: string): Way {
    const key = `${from}>${to}`;
    const way = this.#ways.get(key);
    if (way === undefined) {
      const lags = new Holds<number>((held) => made.lagMs = Math.max(0, ...held));
      const made: Way = { blocks: 0, lagMs: 0, lags, inFlightBytes: 0, lastArrival: { bulk: 0, control: 0 } };
      this.#ways.set(key, made);
      return made;
    }
    return way;
  }

  #connectSoon(a: string, b: string): void {
    const key = pair(a, b);
    if (a === b || this.#links.has(key) || this.#connecting.has(key)) return;
    this.#connecting.add(key);
    this.#timeline.after(this.#random.between(1, 60), () => {
      this.#connecting.delete(key);
      this.#connect(a, b);
    });
  }

  #connect(a: string, b: string): void {
    const [sideA, sideB] = [this.#sides.get(a), this.#sides.get(b)];
    if (sideA === undefined || sideB === undefined || this.#links.has(pair(a, b))) return;
    const [urlA, urlB] = [this.addressOf(a), this.addressOf(b)];
    if (!sideA.dialled.has(urlB) && !sideB.dialled.has(urlA)) return;
    if (this.isBlocked(a, b) || this.isBlocked(b, a)) return; // unblock() tries again
    const [identityA, identityB] = [sideA.endpoint.identity(), sideB.endpoint.identity()];
    const [clusterA, clusterB] = [identityA.clusterId, identityB.clusterId];
    if (clusterA !== null && clusterB !== null && clusterA !== clusterB) return;
    if (!sideA.endpoint.admit(identityB) || !sideB.endpoint.admit(identityA)) return;
    const endA: End = { side: sideA, peer: identityB, way: this.#way(a, b) };
    const endB: End = { side: sideB, peer: identityA, way: this.#way(b, a) };
    const link: Link = { open: true, ends: [endA, endB] };
    this.#links.set(pair(a, b), link);
    addRoute(sideA, { link, here: endA, there: endB });
    addRoute(sideB, { link, here: endB, there: endA });
    // Both have said where they are.
    sideA.dialled.add(urlB);
    sideB.dialled.add(urlA);
    this.#trace.line(`link ${a}-${b} up`);
    for (const { side, peer } of link.ends) {
      side.endpoint.turn(() => {
        if (link.open) side.listener.up(peer);
      });
    }
  }

  #closeLink(key: string, link: Link): void {
    if (!link.open) return;
    close(link);
    this.#links.delete(key);
    const [a, b] = link.ends.map(({ side }) => side.endpoint.name) as [string, string];
    this.#trace.line(`link ${a}-${b} down`);
    for (const { side, peer } of link.ends) this.#tellDown(side, peer);
    this.#connectSoon(a, b);
  }

  #tellDown(side: Side, peer: PeerIdentity): void {
    side.endpoint.turn(() => {
      if (this.#sides.get(side.endpoint.name) === side) side.listener.down(peer);
    });
  }

  #send(route: Route, message: PeerMessage, channel: Channel): boolean {
    const { link, here, there } = route;
    const { way } = here;
    const size = channel === "bulk" ? messageBytes(message) : 0;
    if (way.inFlightBytes > 0 && way.inFlightBytes + size > this.weather.bufferBytes) {
      this.counts.refused++;
      return false;
    }
    this.counts.sent++;
    for (const listen of this.onSend) listen(here.side.endpoint.name, message);
    if (!link.open) return false; // an ambush
    this.#observe(there.peer.replica, message);
    const random = this.#random;
    const lost = way.blocks > 0 || random.chance(this.weather.loss);
    if (this.#trace.on) {
      const [from, to] = [here.side.endpoint.name, there.side.endpoint.name];
      this.#trace.line(`${from}->${to} ${describeMessage(message)}${lost ? " (lost)" : ""}`);
    }
    if (lost) {
      this.counts.lost++;
      return true;
    }
    this.#deliverLater(route, message, channel, size);
    if (message.type !== "Forward" && random.chance(this.weather.duplicate)) {
      this.counts.doubled++;
      this.#deliverLater(route, message, channel, 0);
    }
    return true;
  }

  #deliverLater({ link, here, there }: Route, message: PeerMessage, channel: Channel, size: number): void {
    const { weather } = this;
    const { way } = here;
    const random = this.#random;
    let delay = way.lagMs + weather.minDelayMs + random.exponential(weather.meanDelayMs);
    if (random.chance(weather.spike)) delay += random.between(0, weather.spikeMs);
    let arrival = this.#timeline.now + delay;
    if (weather.ordered) {
      arrival = Math.max(arrival, way.lastArrival[channel]);
      way.lastArrival[channel] = arrival;
    }
    way.inFlightBytes += size;
    this.#timeline.at(arrival, () => {
      way.inFlightBytes -= size;
      if (!link.open || way.blocks > 0) {
        this.counts.lost++;
        return;
      }
      this.counts.delivered++;
      const { endpoint, listener } = there.side;
      endpoint.turn(() => {
        if (link.open) listener.message(there.peer.replica, message);
      });
    });
  }
}

function peersOf(side: Side): readonly PeerIdentity[] {
  return side.peers ??= [...side.routes.values()].map(({ here }) => here.peer);
}

function addRoute(side: Side, route: Route): void {
  side.routes.set(route.here.peer.replica, route);
  side.peers = null;
}

function close(link: Link): void {
  link.open = false;
  for (const { side, peer } of link.ends) {
    side.routes.delete(peer.replica);
    side.peers = null;
  }
}

/** Where a node of the world is at first, and where whoever was told of it once goes on looking for it. */
export function firstAddressOf(name: string): string {
  return `sim://${name}`;
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
