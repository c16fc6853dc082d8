// PeerLinks: the port `Links` over WebSockets on the clients' port, path /v1/peer, two sockets (control, bulk) per pair.
// A peer is up while it has a control link; everything it sends arrives between `up` and `down`.
import type { ReplicaId } from "../raft/mod.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import type { Channel, DialTrouble, LinkListener, Links, PeerIdentity } from "../replica/ports.ts";
import { type PeerAddress, peerAddress } from "./addresses.ts";
import { Dialer } from "./dialer.ts";
import { Handshake, type Refusal } from "./handshake.ts";
import type { Purpose } from "./handshake-messages.ts";
import { Link, type LinkEnding, type LinkEvents } from "./link.ts";
import { Notices } from "./notices.ts";
import {
  type ConnectedPeer,
  defaultLimits,
  type LinkLimits,
  type PeerLinksOptions,
  type PeerSocketData,
  type UpgradeServer,
} from "./options.ts";
import { Peer } from "./peer.ts";
import { newChallenge } from "./proof.ts";
import { Successors } from "./successors.ts";
import { purposeOf, refuseUpgrade } from "./upgrade.ts";
import { acceptedSockets, dialSocket } from "./wire.ts";

export class PeerLinks implements Links {
  /** For Bun.serve's `websocket`. */
  readonly websocket: Bun.WebSocketHandler<PeerSocketData>;

  readonly #options: PeerLinksOptions;
  readonly #limits: LinkLimits;
  readonly #notices: Notices;
  readonly #own: ReplicaId;
  readonly #secret: string | null;
  readonly #dialer: Dialer;
  readonly #successors: Successors;
  readonly #events: LinkEvents;
  readonly #traffic = { sent: 0, dropped: 0, received: 0 };
  #listener: LinkListener | null = null;
  readonly #peers = new Map<ReplicaId, Peer>();
  /** Every link that is not closed. */
  readonly #links = new Set<Link>();
  /** Accepted and nothing proved yet. */
  readonly #strangers = new Set<Link>();
  #dirty: Link[] = [];
  #flushDue = false;
  #closed = false;
  #cancelBeat: () => void = () => {};

  constructor(options: PeerLinksOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#notices = new Notices(options.log, options.clock);
    this.#own = options.identity().replica;
    this.#secret = options.secret === "" ? null : options.secret;
    this.websocket = acceptedSockets(this.#limits);
    this.#events = {
      opened: (link, peer) => this.#opened(link, peer),
      frame: (_link, peer, messages) => this.#frame(peer, messages),
      dirty: (link) => this.#markDirty(link),
      refused: (refusal) => this.#closed || this.#listener?.refused?.(refusal),
      closed: (link, ending) => this.#ended(link, ending),
    };
    const { clock, scheduler, random } = options;
    this.#dialer = new Dialer({
      ...{ limits: this.#limits, clock, scheduler, random },
      connect: (address, channel) => this.#connect(address, channel),
      isLinked: (replica, channel) => (this.#peers.get(replica)?.[channel] ?? null) !== null,
    });
    this.#successors = new Successors({
      clock,
      // Keepalives come every 0.3 of it at least.
      linkMs: Math.max(this.#limits.probeMs, 0.4 * this.#limits.silenceMs),
      ask: (url, done) => this.#probe(url, done),
      remembered: options.remembered ?? (() => null),
    });
    this.#beat(clock.monotonic());
  }

  listen(listener: LinkListener): void {
    this.#listener = listener;
  }

  /** Answers a request for /v1/peer: undefined when it became a socket, else the response that refuses it. */
  upgrade(request: Request, server: UpgradeServer): Response | undefined {
    const address = server.requestIP(request)?.address ?? "unknown";
    const busy = this.#closed || this.#listener === null ||
      this.#strangers.size >= this.#limits.maxHandshakes;
    const refusal = refuseUpgrade(request, address, { busy, hasSecret: this.#secret !== null });
    if (refusal !== null) {
      this.#notices.say("warning", address, refusal.code, `peer link refused: ${refusal.detail}`);
      return refusal.response();
    }
    const link = this.#newLink(purposeOf(request) ?? "control", false, address);
    this.#strangers.add(link);
    if (server.upgrade(request, { data: { events: link } })) return undefined;
    link.end("malformed", "it is no WebSocket handshake");
    return new Response("no WebSocket handshake\n", { status: 400 });
  }

  dial(url: string, replica?: ReplicaId | null): void {
    this.#dial(url, replica);
  }

  troubles(): readonly DialTrouble[] {
    return this.#dialer.troubles();
  }

  /** Which replica has answered at an address, this one included; null = none yet. */
  at(url: string): ReplicaId | null {
    const address = peerAddress(url);
    const found = address === null ? null : this.#dialer.at(address);
    return found === "self" ? this.#own : found;
  }

  send(to: ReplicaId, message: PeerMessage, channel: Channel): boolean {
    const peer = this.#peers.get(to);
    const link = channel === "bulk" ? peer?.bulk ?? peer?.control : peer?.control;
    const taken = link?.offer(message) ?? false;
    this.#traffic[taken ? "sent" : "dropped"]++;
    return taken;
  }

  /** Messages since the start: given to a link, not taken by one (also because there is none), and come in. */
  traffic(): { readonly sent: number; readonly dropped: number; readonly received: number } {
    return this.#traffic;
  }

  /** Sends what is queued now instead of at the end of the turn. */
  flush(): void {
    const dirty = this.#dirty;
    if (dirty.length === 0) return;
    this.#dirty = [];
    for (const link of dirty) link.flush();
  }

  connected(): readonly ConnectedPeer[] {
    const now = this.#options.clock.monotonic();
    return [...this.#peers.values()].map((peer) => ({
      ...peer.identity,
      lastContactMs: Math.max(0, now - peer.heardAt()),
    }));
  }

  /** Closes all sockets at once and dials no more. `down` is not told: nobody is left to act on it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelBeat();
    this.#dialer.close();
    for (const link of [...this.#links]) link.end("stopping", "this node is stopping");
    this.#peers.clear();
    this.#dirty = [];
  }

  // ---- making links ----

  #dial(url: string, replica: ReplicaId | null | undefined): void {
    if (this.#closed) return;
    const address = peerAddress(url);
    if (address === null) return this.#notices.say("warning", url, "invalid_url", "no http(s) URL of a peer");
    if (this.#secret === null && !address.loopback) {
      const sentence = "not dialled: beyond loopback, links between replicas need --secret";
      return this.#notices.say("warning", address.url, "not_loopback", sentence);
    }
    this.#dialer.add(address, replica);
  }

  #connect(address: PeerAddress, channel: Channel): Link {
    const link = this.#newLink(channel, true, address.url);
    link.connecting(dialSocket(address.socketUrl(channel), link));
    return link;
  }

  /** Asks who is at a URL, and makes no link of it. */
  #probe(url: string, done: (found: PeerIdentity | null) => void): void {
    const address = peerAddress(url);
    if (address === null || (this.#secret === null && !address.loopback)) return done(null);
    const link = this.#newLink("probe", true, address.url, {
      ...this.#events,
      closed: (link, ending) => {
        this.#links.delete(link);
        cancel();
        done(ending.code === "probed" ? ending.peer : null);
      },
    });
    const { scheduler } = this.#options;
    const cancel = scheduler.after(
      this.#limits.probeMs,
      () => link.end("timeout", "nobody says who is there"),
    );
    link.connecting(dialSocket(address.socketUrl("probe"), link));
  }

  #newLink(purpose: Purpose, dialled: boolean, address: string, events = this.#events): Link {
    const { identity, admit, clock, scheduler } = this.#options;
    const channel = purpose === "bulk" ? "bulk" : "control";
    const handshake = new Handshake({
      ...{ role: dialled ? "dialler" : "listener", purpose, own: identity(), secret: this.#secret, admit },
      challenge: newChallenge(),
      wanted: (peer) => this.#objection(peer, channel, dialled),
    });
    const limits = this.#limits;
    const link = new Link(this.#own, {
      ...{ channel, dialled, address, handshake, limits, clock, scheduler, events },
    });
    this.#links.add(link);
    return link;
  }

  /** What there is to say against a link that a proven peer and we could have; null = nothing. */
  #objection(identity: PeerIdentity, channel: Channel, dialled: boolean): Refusal | null {
    const peer = this.#peers.get(identity.replica);
    const known = peer !== undefined && peer.identity.nonce === identity.nonce ? peer : null;
    if (channel === "bulk" && known === null) {
      return { code: "no_control", sentence: "a bulk link without a control link" };
    }
    if (dialled && known !== null && known.hasEnough(channel)) {
      return { code: "already_linked", sentence: "there is such a link already" };
    }
    return known === null ? this.#successors.objection(identity, peer?.heardAt() ?? null) : null;
  }

  // ---- what becomes of them ----

  #opened(link: Link, identity: PeerIdentity): void {
    this.#strangers.delete(link);
    const before = this.#peers.get(identity.replica);
    // The other process is the newer one, and the older one does not answer: what it has left are dead sockets.
    if (before !== undefined && before.identity.nonce !== identity.nonce) {
      this.#lose(before, "it was restarted");
    }
    this.#successors.linked(identity);
    let peer = this.#peers.get(identity.replica);
    const isNew = peer === undefined;
    peer ??= new Peer(this.#own, identity);
    peer.identity = identity;
    peer.add(link);
    if (isNew) {
      this.#peers.set(identity.replica, peer);
      const { url, version } = identity;
      this.#options.log("info", `linked to ${identity.replica}`, { url, version, address: link.address });
      this.#listener?.up(identity);
    }
    this.#dialer.opened(link, identity);
    this.#retire(peer, link.channel);
  }

  /** Closes, after a while in which nothing came, what this node dialled and does not need. */
  #retire(peer: Peer, channel: Channel): void {
    const { scheduler, clock } = this.#options;
    const { graceMs } = this.#limits;
    if (peer.redundant(channel).length === 0) return;
    scheduler.after(graceMs, () => {
      for (const link of peer.redundant(channel)) {
        const quiet = clock.monotonic() - link.heardAt >= graceMs && link.waitingBytes === 0;
        if (quiet) link.end("already_linked", "there is a better link");
      }
      this.#retire(peer, channel);
    });
  }

  #frame(identity: PeerIdentity, messages: readonly PeerMessage[]): void {
    const listener = this.#listener;
    if (listener === null || this.#closed) return;
    this.#traffic.received += messages.length;
    for (const message of messages) listener.message(identity.replica, message);
  }

  #ended(link: Link, ending: LinkEnding): void {
    this.#links.delete(link);
    this.#strangers.delete(link);
    if (this.#closed) return;
    const { code, sentence } = ending;
    // The end of a peer's last link is told by #lose.
    const level = ending.wasOpen && ending.level === "info" ? "debug" : ending.level;
    const who = ending.peer === null ? "" : ` to ${ending.peer.replica}`;
    this.#notices.say(level, link.address, code, `${link.channel} link${who}: ${sentence}`);
    if (ending.wasOpen && ending.peer !== null) this.#unlink(link, ending.peer, sentence);
    if (link.dialled) this.#dialer.closed(link, ending);
  }

  #unlink(link: Link, identity: PeerIdentity, why: string): void {
    const peer = this.#peers.get(identity.replica);
    if (peer === undefined || !peer.links().includes(link)) return;
    const wasInUse = peer[link.channel] === link;
    peer.remove(link);
    if (peer.control === null) return this.#lose(peer, why);
    if (!wasInUse) return;
    // What was under way on it may be lost, and the port knows only one word for that.
    this.#listener?.down(peer.identity);
    if (this.#peers.get(identity.replica) === peer) this.#listener?.up(peer.identity);
    this.#dialer.lost(identity.replica);
  }

  #lose(peer: Peer, why: string): void {
    const { identity } = peer;
    this.#peers.delete(identity.replica);
    for (const link of peer.links()) link.end("peer_lost", why);
    this.#options.log("info", `lost ${identity.replica}: ${why}`, { url: identity.url });
    this.#listener?.down(identity);
    this.#dialer.lost(identity.replica);
    if (identity.url !== "") this.#dial(identity.url, identity.replica);
  }

  // ---- turns and beats ----

  #markDirty(link: Link): void {
    if (!this.#dirty.includes(link)) this.#dirty.push(link);
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#options.scheduler.defer(() => {
      this.#flushDue = false;
      this.flush();
    });
  }

  /** Keeps links alive and finds dead ones. After a pause of this process, silence proves nothing. */
  #beat(last: number): void {
    const everyMs = this.#limits.silenceMs / 5;
    this.#cancelBeat = this.#options.scheduler.after(everyMs, () => {
      const now = this.#options.clock.monotonic();
      const judge = now - last < 3 * everyMs;
      if (!judge) this.#successors.paused();
      for (const link of [...this.#links]) link.keepAlive(now, judge);
      if (!this.#closed) this.#beat(now);
    });
  }
}
