// One socket to a peer: first a handshake, then frames both ways. It gathers messages into one frame per flush, bounds
// what waits, and judges what comes in; whom it belongs to and what a loss means is decided in links.ts.
import { ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import { messageBytes, type PeerMessage } from "../replica/peer-messages.ts";
import type { Channel, Clock, LinkRefusal, LogLevel, PeerIdentity, Scheduler } from "../replica/ports.ts";
import { beginFrame, decodeFrame, frameItems, writeMessage } from "./codec.ts";
import { connectEnding } from "./connecting.ts";
import { maxFrameItems } from "./frame-budget.ts";
import { maxHandshakeBytes } from "./handshake-messages.ts";
import type { Handshake, HandshakeStep } from "./handshake.ts";
import type { LinkLimits } from "./options.ts";
import type { SocketEvents, Wire } from "./wire.ts";

/** What a link tells; each is called at most once but `frame` and `dirty`. */
export type LinkEvents = {
  opened(link: Link, peer: PeerIdentity): void;
  frame(link: Link, peer: PeerIdentity, messages: readonly PeerMessage[]): void;
  /** There is something to flush. */
  dirty(link: Link): void;
  /** The other side refused this node; it closes next. */
  refused(refusal: LinkRefusal): void;
  closed(link: Link, ending: LinkEnding): void;
};

/** Why a link is gone: `code` for machines, `sentence` for people, `level` says how much people care. */
export type LinkEnding = {
  readonly code: string;
  readonly sentence: string;
  readonly level: LogLevel;
  /** The peer as far as it has proved who it is. */
  readonly peer: PeerIdentity | null;
  readonly wasOpen: boolean;
};

export type LinkOptions = {
  readonly channel: Channel;
  /** By this node; else accepted. */
  readonly dialled: boolean;
  /** The other end, for people: a URL or an IP address. */
  readonly address: string;
  readonly handshake: Handshake;
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly events: LinkEvents;
};

/** What may always wait, so that one message larger than the bound gets through. */
const freeBytes = 64 * 1024;

export class Link implements SocketEvents {
  readonly channel: Channel;
  readonly dialled: boolean;
  readonly address: string;
  /** Clock time at which it opened, and at which bytes last came and went. */
  openedAt = 0;
  heardAt: number;
  #sentAt: number;

  readonly #options: LinkOptions;
  readonly #own: string;
  readonly #softBytes: number;
  #state: "connecting" | "handshake" | "open" | "closed" = "connecting";
  #wire: Wire | null = null;
  #peer: PeerIdentity | null = null;
  #writer = new ByteWriter(4096);
  #items = 0;
  /** What the socket still held after the last look; it only shrinks between two sends. */
  #inSocket = 0;
  #cancelDeadline: () => void;

  constructor(own: string, options: LinkOptions) {
    const { limits, scheduler, clock } = options;
    this.#own = own;
    this.#options = options;
    this.channel = options.channel;
    this.dialled = options.dialled;
    this.address = options.address;
    this.#softBytes = options.channel === "bulk" ? limits.bulkBytes : limits.controlBytes;
    this.heardAt = this.#sentAt = clock.monotonic();
    this.#cancelDeadline = scheduler.after(
      limits.handshakeMs,
      () => this.#end("timeout", `no handshake within ${limits.handshakeMs} ms`, "debug", "terminate"),
    );
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** The other end, once the handshake is over. */
  get peer(): PeerIdentity | null {
    return this.#peer;
  }

  /** Bytes that wait, here and in the socket. */
  get waitingBytes(): number {
    return this.#writer.length + (this.#inSocket = this.#wire?.buffered() ?? 0);
  }

  /** Gives a dialled socket that is not yet open, so that it can be ended. */
  connecting(wire: Wire): void {
    this.#wire = wire;
  }

  // ---- from the socket ----

  open(wire: Wire): void {
    if (this.#state === "closed") return wire.terminate();
    this.#wire = wire;
    this.#state = "handshake";
    const hello = this.#options.handshake.start();
    if (hello !== null) wire.send(hello);
  }

  receive(bytes: Uint8Array | null): void {
    if (this.#state === "closed") return;
    this.heardAt = this.#options.clock.monotonic();
    if (bytes === null) return this.#malformed("a text where bytes are due");
    if (this.#state !== "open" || this.#peer === null) return this.#shake(bytes);
    if (bytes.byteLength > this.#options.limits.maxFrameBytes) {
      return this.#malformed(`a frame of ${bytes.byteLength} bytes`);
    }
    let messages;
    try {
      messages = decodeFrame(bytes, this.#peer.replica, this.#own);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      return this.#malformed(error.message);
    }
    if (messages.length > 0) this.#options.events.frame(this, this.#peer, messages);
  }

  closed(code: number, reason: string): void {
    const how = reason === "" ? `code ${code}` : reason;
    if (this.#state === "connecting") {
      const { code, sentence } = connectEnding(how);
      return this.#end(code, sentence, "debug");
    }
    // A listener tells a dialler that failed to prove the secret nothing at all.
    const sentence = this.#state !== "handshake"
      ? `closed by the other side or the network (${how})`
      : this.#options.handshake.proofUnanswered
      ? `it has another cluster secret than this node: it closed when the secret was to be proved (${how})`
      : `closed during the handshake (${how})`;
    this.#end("lost", sentence, this.#state === "handshake" && this.dialled ? "warning" : "info");
  }

  // ---- from the owner ----

  /** Adds a message to the frame of this turn. False = dropped: the link is closed, or too much waits already. */
  offer(message: PeerMessage): boolean {
    if (this.#state !== "open") return false;
    const { limits, events } = this.#options;
    const bytes = messageBytes(message);
    const items = frameItems(message);
    if (bytes > limits.maxFrameBytes || items > maxFrameItems) return false;
    if (!this.#hasRoom(message, bytes)) return false;
    if (this.#items + items > maxFrameItems || this.#writer.length + bytes > limits.maxFrameBytes) {
      if (!this.flush()) return false;
    }
    if (this.#writer.length === 0) beginFrame(this.#writer);
    writeMessage(this.#writer, message);
    this.#items += items;
    if (this.#writer.length >= limits.splitBytes) return this.flush();
    events.dirty(this);
    return true;
  }

  /** Sends the frame of this turn, if there is one. False = the link is gone. */
  flush(): boolean {
    if (this.#state !== "open" || this.#wire === null) return false;
    const frame = this.#writer.view();
    if (frame.byteLength === 0) return true;
    const sent = this.#wire.send(frame);
    // A burst must not keep its memory for ever.
    if (frame.byteLength > 2 * this.#options.limits.splitBytes) this.#writer = new ByteWriter(4096);
    else this.#writer.reset();
    this.#items = 0;
    if (!sent) {
      this.#end("overrun", "the socket dropped a frame", "warning", "terminate");
      return false;
    }
    this.#inSocket = this.#wire.buffered();
    this.#sentAt = this.#options.clock.monotonic();
    return true;
  }

  /** Called every fifth of silenceMs: sends a sign of life, or ends a link that gave none. `judge` false = after a pause of our own. */
  keepAlive(now: number, judge: boolean): void {
    if (this.#state !== "open") return;
    const { silenceMs } = this.#options.limits;
    if (!judge) this.heardAt = now;
    if (now - this.heardAt >= silenceMs) {
      this.#end("silent", `nothing was heard for ${silenceMs} ms`, "warning", "terminate");
    } else if (now - this.#sentAt >= silenceMs / 10 && this.#writer.length === 0 && this.#inSocket === 0) {
      beginFrame(this.#writer);
      this.flush();
    } else {
      this.#inSocket = this.#wire?.buffered() ?? 0;
    }
  }

  /** Ends it from this side, after what was sent. */
  end(code: string, sentence: string, level: LogLevel = "debug"): void {
    this.flush();
    this.#end(code, sentence, level, "close");
  }

  // ---- inside ----

  #shake(bytes: Uint8Array): void {
    if (bytes.byteLength > maxHandshakeBytes) return this.#malformed("a long message before the handshake");
    const { handshake, events, clock } = this.#options;
    const step: HandshakeStep = handshake.receive(bytes);
    if (step.type === "refusedByPeer") {
      const level = quietCodes.has(step.code) ? "debug" : "warning";
      events.refused(step);
      return this.#end(step.code, `it refuses this node: ${step.sentence}`, level, "close");
    }
    if (step.send !== null) this.#wire?.send(step.send);
    if (step.type === "continue") return;
    if (step.type === "refused") {
      const level = quietCodes.has(step.refusal.code) ? "debug" : "warning";
      this.#peer = step.peer;
      return this.#end(step.refusal.code, step.refusal.sentence, level, "close");
    }
    this.#cancelDeadline();
    this.#state = "open";
    this.#peer = step.peer;
    this.openedAt = clock.monotonic();
    events.opened(this, step.peer);
  }

  #hasRoom(message: PeerMessage, bytes: number): boolean {
    const droppable = isDroppable(message);
    const bound = droppable ? this.#softBytes : this.#softBytes * this.#options.limits.hardFactor;
    if (this.#writer.length + this.#inSocket + bytes <= bound) return true;
    const waiting = this.waitingBytes;
    if (waiting + bytes <= bound || waiting <= freeBytes) return true;
    if (!droppable) {
      this.#end("overrun", `${waiting} bytes wait and it takes none`, "warning", "terminate");
    }
    return false;
  }

  #malformed(what: string): void {
    this.#end("malformed", `it sent what is no frame of ours: ${what}`, "warning", "close");
  }

  #end(code: string, sentence: string, level: LogLevel, how: "gone" | "close" | "terminate" = "gone"): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open";
    const connecting = this.#state === "connecting";
    this.#state = "closed";
    this.#cancelDeadline();
    this.#writer = new ByteWriter(0);
    if (how === "terminate" || (how === "close" && connecting)) this.#wire?.terminate();
    else if (how === "close") this.#wire?.close(code === "malformed" ? 1002 : 1000, "");
    this.#options.events.closed(this, { code, sentence, level, peer: this.#peer, wasOpen });
  }
}

/** Endings that are part of a healthy life. */
const quietCodes: ReadonlySet<string> = new Set([
  "already_linked",
  "no_control",
  "self",
  "checking",
  "probed",
]);

/** What the sender makes good for by itself: entries are sent again, a forward is refused, gossip repeats. */
function isDroppable(message: PeerMessage): boolean {
  return message.type === "AppendEntries"
    ? message.entries.length > 0
    : message.type === "Forward" || message.type === "Gossip";
}
