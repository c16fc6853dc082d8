// The virtual network: links between nodes that come up and go down, and messages that are late, lost, doubled or out of
// order on them. It promises what the port promises and nothing more: a Forward is never doubled (no link resends).
import type { ReplicaId } from "../raft/mod.ts";
import { messageBytes, type PeerMessage } from "../replica/peer-messages.ts";
import type { Channel, LinkListener, Links, PeerIdentity } from "../replica/ports.ts";
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

/** `dialled`: the addresses that it tries, whoever is there. */
type Side = { readonly endpoint: Endpoint; readonly listener: LinkListener; readonly dialled: Set<string> };

/** An open link; each process sees who the other was when it opened. */
type Link = { open: boolean; readonly sides: ReadonlyMap<string, { side: Side; peer: PeerIdentity }> };

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
  readonly #blocked = new Map<string, number>();
  /** Where a node is, if no longer where it was at first. */
  readonly #moved = new Map<string, string>();
  readonly #inFlightBytes = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();

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
    return {
      listen: (listener) => {
        this.#sides.set(name, { endpoint, listener, dialled });
        for (const other of this.#sides.keys()) this.#connectSoon(name, other);
      },
      dial: (url) => {
        if (dialled.has(url) || url === this.addressOf(name)) return;
        dialled.add(url);
        for (const other of this.#sides.keys()) {
          if (this.addressOf(other) === url) this.#connectSoon(name, other);
        }
      },
      connected: () => this.#peersOf(name),
      send: (to, message, channel) => this.#send(name, to, message, channel),
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
    if (!this.#sides.delete(name)) return;
    for (const [key, link] of this.#links) {
      if (!link.sides.has(name)) continue;
      link.open = false;
      this.#links.delete(key);
      for (const [end, { side, peer }] of link.sides) {
        if (end === name) continue;
        this.#timeline.after(noticeMs, () => this.#tellDown(side, peer));
        this.#timeline.after(noticeMs, () => this.#connectSoon(end, name));
      }
    }
  }

  /** Messages from → to are lost until `unblock`; calls nest. Where the ends notice, the link goes down after a while. */
  block(from: string, to: string, noticeMs: number | null): void {
    const key = way(from, to);
    this.#blocked.set(key, (this.#blocked.get(key) ?? 0) + 1);
    const link = this.#links.get(pair(from, to));
    if (link === undefined || noticeMs === null) return;
    this.#timeline.after(noticeMs, () => {
      if (this.isBlocked(from, to)) this.#closeLink(pair(from, to), link);
    });
  }

  unblock(from: string, to: string): void {
    const key = way(from, to);
    const left = (this.#blocked.get(key) ?? 0) - 1;
    if (left > 0) this.#blocked.set(key, left);
    else this.#blocked.delete(key);
    this.#connectSoon(from, to);
  }

  unblockAll(): void {
    this.#blocked.clear();
    for (const a of this.#sides.keys()) {
      for (const b of this.#sides.keys()) if (a < b) this.#connectSoon(a, b);
    }
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(way(from, to));
  }

  /** Ends an open link from outside (a reset); it is dialled again. */
  reset(a: string, b: string): void {
    const link = this.#links.get(pair(a, b));
    if (link !== undefined) this.#closeLink(pair(a, b), link);
  }

  #peersOf(name: string): PeerIdentity[] {
    const peers: PeerIdentity[] = [];
    for (const link of this.#links.values()) {
      const here = link.sides.get(name);
      if (here !== undefined) peers.push(here.peer);
    }
    return peers;
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
    const link: Link = {
      open: true,
      sides: new Map([[a, { side: sideA, peer: identityB }], [b, { side: sideB, peer: identityA }]]),
    };
    this.#links.set(pair(a, b), link);
    // Both have said where they are.
    sideA.dialled.add(urlB);
    sideB.dialled.add(urlA);
    this.#trace.line(`link ${a}-${b} up`);
    for (const { side, peer } of link.sides.values()) {
      side.endpoint.turn(() => {
        if (link.open) side.listener.up(peer);
      });
    }
  }

  #closeLink(key: string, link: Link): void {
    if (!link.open) return;
    link.open = false;
    this.#links.delete(key);
    this.#trace.line(`link ${[...link.sides.keys()].join("-")} down`);
    for (const { side, peer } of link.sides.values()) this.#tellDown(side, peer);
    const [a, b] = [...link.sides.keys()];
    if (a !== undefined && b !== undefined) this.#connectSoon(a, b);
  }

  #tellDown(side: Side, peer: PeerIdentity): void {
    side.endpoint.turn(() => {
      if (this.#sides.get(side.endpoint.name) === side) side.listener.down(peer);
    });
  }

  #send(from: string, to: ReplicaId, message: PeerMessage, channel: Channel): boolean {
    const link = this.#linkTo(from, to);
    if (link === undefined) return false;
    const target = link.other;
    const size = channel === "bulk" ? messageBytes(message) : 0;
    const key = way(from, target);
    const inFlight = this.#inFlightBytes.get(key) ?? 0;
    if (inFlight > 0 && inFlight + size > this.weather.bufferBytes) {
      this.counts.refused++;
      return false;
    }
    this.counts.sent++;
    for (const listen of this.onSend) listen(from, message);
    if (!link.link.open) return false; // an ambush
    this.#observe(link.self.replica, message);
    const random = this.#random;
    const lost = this.isBlocked(from, target) || random.chance(this.weather.loss);
    if (this.#trace.on) {
      this.#trace.line(`${from}->${target} ${describeMessage(message)}${lost ? " (lost)" : ""}`);
    }
    if (lost) {
      this.counts.lost++;
      return true;
    }
    this.#deliverLater(link, from, message, channel, size);
    if (message.type !== "Forward" && random.chance(this.weather.duplicate)) {
      this.counts.doubled++;
      this.#deliverLater(link, from, message, channel, 0);
    }
    return true;
  }

  #deliverLater(
    { link, other, self }: { link: Link; other: string; self: PeerIdentity },
    from: string,
    message: PeerMessage,
    channel: Channel,
    size: number,
  ): void {
    const { weather } = this;
    const random = this.#random;
    let delay = weather.minDelayMs + random.exponential(weather.meanDelayMs);
    if (random.chance(weather.spike)) delay += random.between(0, weather.spikeMs);
    let arrival = this.#timeline.now + delay;
    const key = way(from, other);
    if (weather.ordered) {
      const stream = `${key}/${channel}`;
      arrival = Math.max(arrival, this.#lastArrival.get(stream) ?? 0);
      this.#lastArrival.set(stream, arrival);
    }
    if (size > 0) this.#inFlightBytes.set(key, (this.#inFlightBytes.get(key) ?? 0) + size);
    this.#timeline.at(arrival, () => {
      if (size > 0) this.#inFlightBytes.set(key, (this.#inFlightBytes.get(key) ?? size) - size);
      const there = link.sides.get(other);
      if (!link.open || there === undefined || this.isBlocked(from, other)) {
        this.counts.lost++;
        return;
      }
      this.counts.delivered++;
      there.side.endpoint.turn(() => {
        if (link.open) there.side.listener.message(self.replica, message);
      });
    });
  }

  #linkTo(from: string, to: ReplicaId): { link: Link; other: string; self: PeerIdentity } | undefined {
    // Ids name nodes, so that the link is found without a search; the incarnation must match.
    const tilde = to.indexOf("~");
    const other = tilde < 0 ? to : to.slice(0, tilde);
    const link = this.#links.get(pair(from, other));
    const here = link?.sides.get(from);
    const there = link?.sides.get(other);
    if (link === undefined || here === undefined || there === undefined) return undefined;
    return here.peer.replica === to ? { link, other, self: there.peer } : undefined;
  }
}

/** Where a node of the world is at first, and where whoever was told of it once goes on looking for it. */
export function firstAddressOf(name: string): string {
  return `sim://${name}`;
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function way(from: string, to: string): string {
  return `${from}>${to}`;
}
