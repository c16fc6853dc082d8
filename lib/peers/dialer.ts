// Where this node dials, and when: every known address until a peer answers there, again with jittered backoff when its
// link is lost, the addresses that peers advertise included. An address that leads back to this node is left alone.
import type { ReplicaId } from "../raft/mod.ts";
import type { Channel, Clock, DialTrouble, PeerIdentity, Random, Scheduler } from "../replica/ports.ts";
import type { PeerAddress } from "./addresses.ts";
import type { Link, LinkEnding } from "./link.ts";
import type { LinkLimits } from "./options.ts";

export type DialerOptions = {
  readonly limits: LinkLimits;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Begins to connect. */
  readonly connect: (address: PeerAddress, channel: Channel) => Link;
  readonly isLinked: (replica: ReplicaId, channel: Channel) => boolean;
};

type Target = {
  readonly address: PeerAddress;
  /** Only heard of, from a peer, by discovery or in a request; forgotten when it leads nowhere for long. */
  learnt: boolean;
  /** Who answered there last, or is said to be there; null = nobody yet. */
  replica: ReplicaId | null;
  /** Who answered there last. */
  answered: ReplicaId | null;
  isSelf: boolean;
  /** Why the last dial came to nothing; null = it did not, or there was none yet. */
  trouble: string | null;
  /** Clock time of the last success, or of when the address came. */
  goodAt: number;
  readonly control: Attempt;
  readonly bulk: Attempt;
};

/** At most one of `link` and `cancel` is set. */
type Attempt = { link: Link | null; cancel: (() => void) | null; waitMs: number };

const maxLearnt = 128;
const forgetAfterMs = 10 * 60_000;
/** A link that lived shorter than this was no success. */
const successMs = 1_000;

export class Dialer {
  readonly #options: DialerOptions;
  readonly #targets = new Map<string, Target>();
  readonly #targetOf = new Map<Link, Target>();
  #closed = false;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /** As `dial` of the port: absent = told for good, kept for ever; null = mentioned, and nobody knows who is there. */
  add(address: PeerAddress, replica?: ReplicaId | null): void {
    const known = this.#targets.get(address.url);
    if (known !== undefined) {
      if (replica === undefined) known.learnt = false;
      // Two nodes may have exchanged their addresses.
      else if (replica !== null) known.replica = replica;
      return this.#wake(known, 0);
    }
    if (replica !== undefined && !this.#hasRoom()) return;
    const target: Target = {
      address,
      learnt: replica !== undefined,
      replica: replica ?? null,
      answered: null,
      isSelf: false,
      trouble: null,
      goodAt: this.#options.clock.monotonic(),
      control: { link: null, cancel: null, waitMs: this.#options.limits.backoffMinMs },
      bulk: { link: null, cancel: null, waitMs: this.#options.limits.backoffMinMs },
    };
    this.#targets.set(address.url, target);
    this.#wake(target, 0);
  }

  /** Who proved to be there, last; null = nobody, or no such address is known. */
  at({ url }: PeerAddress): ReplicaId | "self" | null {
    const target = this.#targets.get(url);
    return target?.isSelf === true ? "self" : target?.answered ?? null;
  }

  /** A link of this dialer, or another, is open. */
  opened(link: Link, peer: PeerIdentity): void {
    const own = this.#targetOf.get(link);
    if (own !== undefined) {
      own.replica = own.answered = peer.replica;
      own.trouble = null;
      own.goodAt = this.#options.clock.monotonic();
    }
    if (link.channel !== "control") return;
    // The side that dialled the control link dials the bulk link, too; the other one only if nothing comes of that.
    for (const target of this.#of(peer.replica)) {
      this.#later(target, "bulk", link.dialled ? 0 : this.#options.limits.graceMs);
    }
  }

  /** A link of this dialer is gone, open or not. */
  closed(link: Link, ending: LinkEnding): void {
    const target = this.#targetOf.get(link);
    if (target === undefined) return;
    this.#targetOf.delete(link);
    const { limits, clock } = this.#options;
    const attempt = target[link.channel];
    attempt.link = null;
    if (ending.peer !== null) target.replica = target.answered = ending.peer.replica;
    if (link.channel === "control") target.trouble = troubleOf(ending);
    if (ending.code === "self") {
      target.isSelf = true;
      return;
    }
    if (ending.wasOpen && clock.monotonic() - link.openedAt >= successMs) {
      attempt.waitMs = limits.backoffMinMs;
    }
    // Who was refused with a reason will hardly be welcome in a moment.
    const hopeless = ending.level === "warning" && !ending.wasOpen && ending.code !== "lost";
    const waitMs = hopeless ? limits.backoffMaxMs : attempt.waitMs;
    // What is being found out is known within a second or two.
    const checking = ending.code === "checking";
    attempt.waitMs = checking ? 2 * limits.backoffMinMs : Math.min(limits.backoffMaxMs, waitMs * 2);
    this.#later(target, link.channel, waitMs * (0.5 + this.#options.random() / 2));
  }

  /** A peer's link is gone, whoever dialled it: its addresses are of use again. */
  lost(replica: ReplicaId): void {
    const waitMs = this.#options.limits.backoffMinMs * (0.5 + this.#options.random() / 2);
    for (const target of this.#of(replica)) {
      // It was there until now, however long ago that began.
      target.goodAt = this.#options.clock.monotonic();
      this.#wake(target, waitMs);
    }
  }

  troubles(): DialTrouble[] {
    return [...this.#targets.values()].flatMap(({ address, trouble, learnt }) =>
      trouble === null ? [] : [{ url: address.url, why: trouble, forGood: !learnt }]
    );
  }

  /** Dials no more; links that are connecting are the caller's to end. */
  close(): void {
    this.#closed = true;
    for (const target of this.#targets.values()) {
      target.control.cancel?.();
      target.bulk.cancel?.();
    }
    this.#targets.clear();
    this.#targetOf.clear();
  }

  #wake(target: Target, waitMs: number): void {
    this.#later(target, "control", waitMs);
    this.#later(target, "bulk", waitMs);
  }

  #later(target: Target, channel: Channel, waitMs: number): void {
    const attempt = target[channel];
    if (attempt.link !== null || attempt.cancel !== null || !this.#isWanted(target, channel)) return;
    attempt.cancel = this.#options.scheduler.after(waitMs, () => {
      attempt.cancel = null;
      this.#dial(target, channel, attempt);
    });
  }

  #dial(target: Target, channel: Channel, attempt: Attempt): void {
    if (attempt.link !== null || !this.#isWanted(target, channel)) return;
    const { clock, connect } = this.#options;
    if (target.learnt && clock.monotonic() - target.goodAt > forgetAfterMs) {
      return this.#forget(target);
    }
    const link = connect(target.address, channel);
    attempt.link = link;
    this.#targetOf.set(link, target);
  }

  #isWanted(target: Target, channel: Channel): boolean {
    if (this.#closed || target.isSelf) return false;
    const { replica } = target;
    if (replica === null) return channel === "control";
    const { isLinked } = this.#options;
    return !isLinked(replica, channel) && (channel === "control" || isLinked(replica, "control"));
  }

  #of(replica: ReplicaId): Target[] {
    return [...this.#targets.values()].filter((target) => target.replica === replica);
  }

  /** For one more learnt address; one at which nobody was ever found makes room. */
  #hasRoom(): boolean {
    const learnt = [...this.#targets.values()].filter((target) => target.learnt);
    if (learnt.length < maxLearnt) return true;
    const oldest = learnt.find(({ replica, control }) => replica === null && control.link === null);
    if (oldest === undefined) return false;
    this.#forget(oldest);
    return true;
  }

  #forget(target: Target): void {
    target.control.cancel?.();
    target.bulk.cancel?.();
    this.#targets.delete(target.address.url);
  }
}

/** null = there is nothing wrong with the address. */
function troubleOf({ code, sentence, wasOpen }: LinkEnding): string | null {
  if (wasOpen || ["already_linked", "no_control", "checking", "stopping", "peer_lost"].includes(code)) {
    return null;
  }
  if (code === "self") return "is this node itself";
  if (code === "other_cluster") return `belongs to another cluster (${sentence})`;
  return sentence;
}
