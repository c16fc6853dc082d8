// Who this node is, durably (design §5): the id that people chose, the incarnation that this data folder drew once, and
// a count of its starts. Claimed before anything is said to anybody.
import { idOf, type ReplicaId, replicaId } from "../raft/mod.ts";
import { type Boot, Boots } from "./boots.ts";
import type { DurableLog, NodeRecord } from "./durable-log.ts";
import { outOf, type SetAside } from "./node-record.ts";
import type { PeerIdentity, Random } from "./ports.ts";

export type ClaimOptions = {
  readonly durableLog: DurableLog;
  /** The id that was asked for; null = the one on disk, or a new one. */
  readonly id: string | null;
  readonly random: Random;
  /** Draws so many letters and digits; default from `random`. The real world has a better source than 53 bits of a float. */
  readonly word?: (length: number) => string;
  /** A new log takes the place of one that was set aside; null or absent = there was none. */
  readonly setAside?: SetAside | null;
};

export type Claim =
  | { readonly ok: true; readonly identity: LocalIdentity }
  /** `message` is a sentence for people. `io`: the disk failed, the process has to end. */
  | { readonly ok: false; readonly reason: "other_id" | "io"; readonly message: string };

/**
 * So many starts are remembered and shown. A peer that missed more of them goes by the numbers; one that is refused knows it
 * durably after the first, so that no supervisor gets past them by starting it again and again.
 */
const maxStarts = 128;

/** Counts this start durably, then calls `done`, once: perhaps before it returns. */
export function claimIdentity(options: ClaimOptions, done: (claim: Claim) => void): void {
  const { durableLog, id, setAside, word = wordsFrom(options.random) } = options;
  const before = durableLog.node();
  if (before !== null && id !== null && before.id !== id) {
    const message = `this data folder belongs to node "${before.id}", not to "${id}": ` +
      `start it as ${before.id}, or give another data folder`;
    return done({ ok: false, reason: "other_id", message });
  }
  const made = before === null
    ? {
      id: id ?? `n-${word(8).toLowerCase()}`,
      incarnation: word(16),
      bootCount: 1,
      clusterId: null,
      record: null,
      started: false,
      peerBoots: {},
      ...setAside ? { setAside } : {},
    }
    : { ...before, bootCount: before.bootCount + 1 };
  // Durable before anybody hears of it: what a peer remembers of this start will be in this folder's list for ever after.
  const nonce = word(16);
  const node: NodeRecord = { ...made, starts: [...before?.starts ?? [], nonce].slice(-maxStarts) };
  durableLog.saveNode(node, (error) => {
    if (error === null) done({ ok: true, identity: new LocalIdentity(durableLog, node, nonce) });
    else done({ ok: false, reason: "io", message: `the log cannot be written: ${error.message}` });
  });
}

/** `folder`: it is not that another node has the name, its data folder is a copy or was rolled back. */
export type Admittance =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly folder?: "stale" };

export function setAsideSentence({ clusterId, kept }: SetAside): string {
  const cluster = clusterId === null ? "the cluster" : `cluster ${clusterId}`;
  return `the log of this node was set aside: it waits for a member that still remembers ${cluster} ` +
    `(kept: ${kept.join(", ")})`;
}

/** What an operator can do about a folder that was refused. */
export const mendRefused =
  "start the right data folder or an empty one, or give --rejoin and --join URL to " +
  "set this one aside and enter the cluster anew";

export class LocalIdentity {
  /** Tells this process from another one with a copy of the same data folder. */
  readonly nonce: string;
  readonly #durableLog: DurableLog;
  readonly #boots: Boots;
  readonly #replica: ReplicaId;
  #node: NodeRecord;
  /** The same with what is being made durable. */
  #saving: NodeRecord;

  constructor(durableLog: DurableLog, node: NodeRecord, nonce: string) {
    this.#durableLog = durableLog;
    this.#node = this.#saving = node;
    this.nonce = nonce;
    this.#boots = new Boots(node.peerBoots);
    this.#replica = replicaId(node.id, node.incarnation);
  }

  get id(): string {
    return this.#node.id;
  }

  get replica(): ReplicaId {
    return this.#replica;
  }

  get bootCount(): number {
    return this.#node.bootCount;
  }

  /** null until this node has started in a cluster. */
  get clusterId(): string | null {
    return this.#node.started ? this.#node.clusterId : null;
  }

  /** It takes part no more, and why; null = it does. */
  get out(): "removed" | "refused" | null {
    return outOf(this.#node);
  }

  /**
   * Its log was set aside and nobody has admitted it since: it forms no cluster, since the others may have lost theirs, too,
   * and a new cluster would be served in the place of the one that they all forgot.
   */
  get setAside(): SetAside | null {
    return this.#node.started ? null : this.#node.setAside ?? null;
  }

  get node(): NodeRecord {
    return this.#node;
  }

  /** What the handshake of a link shows of this node. */
  peerIdentity(url: string, version: string): PeerIdentity {
    const { replica, clusterId, bootCount, nonce } = this;
    const earlier = (this.#node.starts ?? []).slice(0, -1);
    return { replica, clusterId, bootCount, nonce, earlier, url, version };
  }

  /** Whether a peer may be linked, judged by what was seen of it before; `reason` is a sentence. */
  admit(peer: Boot): Admittance {
    if (idOf(peer.replica) === this.id && (peer.replica !== this.replica || peer.nonce !== this.nonce)) {
      return { ok: false, reason: `another node calls itself ${this.id} too` };
    }
    const reason = this.#boots.admit(peer);
    return reason === null ? { ok: true } : { ok: false, reason, folder: "stale" };
  }

  /** Starts of peers were seen that are not durable yet. */
  get unsaved(): boolean {
    return this.#boots.changed;
  }

  /** Makes a changed record durable; the peers' starts seen so far go along, and so do changes that are still under way. */
  save(change: Partial<NodeRecord>, done: (error: Error | null) => void): void {
    const node: NodeRecord = { ...this.#saving, ...change, peerBoots: this.#boots.known() };
    this.#saving = node;
    this.#durableLog.saveNode(node, (error) => {
      if (error === null) this.#node = node;
      done(error);
    });
  }
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function wordsFrom(random: Random): (length: number) => string {
  return (length) => {
    let made = "";
    for (let at = 0; at < length; at++) made += letters.charAt(Math.floor(random() * letters.length));
    return made;
  };
}
