// Gossip in a replica: says who this node is and where, passes on what it hears, dials members where they are said to be,
// and compares states. Nothing of it changes a quorum; of the newest configuration it only tells that it is committed.
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import { type ConfigurationNews, Gossip, type Known, type Outgoing } from "../gossip/mod.ts";
import { type ConfigurationAt, members, type ReplicaId } from "../raft/mod.ts";
import type { LocalIdentity } from "./identity.ts";
import type { MemberRole } from "./membership-messages.ts";
import type { Links, Log, Random } from "./ports.ts";
import { StateCompare } from "./state-compare.ts";

export type GossipingOptions = {
  readonly identity: LocalIdentity;
  readonly links: Links;
  readonly random: Random;
  readonly log: Log;
  readonly fail: (message: string) => void;
  readonly about: () => { readonly url: string; readonly region: string; readonly software: string };
};

/** What is known of a member; `heardAt` in ms of the caller's clock, −Infinity = it said nothing of itself. */
export type DirectoryItem = {
  readonly replica: ReplicaId;
  readonly url: string;
  readonly region: string;
  readonly software: string;
  readonly heardAt: number;
  /** Members that said lately that they have no link to it. */
  readonly unreachableFrom: readonly ReplicaId[];
};

const sayMs = 1000;
/** A statement is repeated as a new one after so long, so that its age tells whether its node lives. */
const refreshMs = 10_000;
const dialMs = 500;
const saveMs = 5000;
const maxUnreachable = 16;
/** What somebody said of others is worth nothing any more: statements are repeated, so that one who lives said something since. */
const forgottenMs = 3 * refreshMs;

export class Gossiping {
  readonly #options: GossipingOptions;
  readonly #gossip: Gossip;
  readonly #compare = new StateCompare();
  #saidAt = -Infinity;
  #refreshedAt = -Infinity;
  #dialledAt = -Infinity;
  #savedAt = -Infinity;
  #saving = false;

  constructor(options: GossipingOptions) {
    this.#options = options;
    const { identity, random } = options;
    this.#gossip = new Gossip({ replica: identity.replica, bootCount: identity.bootCount, random });
  }

  get configuration(): ConfigurationNews | null {
    return this.#gossip.configuration;
  }

  checkpoint(index: number, hash: string): void {
    this.#compare.checkpoint(index, hash);
  }

  /** A configuration that this replica knows to be committed. */
  configured({ index, configuration }: ConfigurationAt): void {
    if (index <= (this.#gossip.configuration?.index ?? -1)) return;
    this.#gossip.configured({ index, ...configuration });
  }

  led(term: number, leaderId: ReplicaId | null): void {
    if (leaderId !== null) this.#gossip.led({ term, leaderId });
  }

  directory(now: number): readonly DirectoryItem[] {
    const known = this.#gossip.directory();
    const unreachable = new Map<ReplicaId, ReplicaId[]>();
    for (const { news, heardAt } of known) {
      if (now - heardAt > forgottenMs) continue;
      for (const replica of news.unreachable) {
        unreachable.set(replica, [...unreachable.get(replica) ?? [], news.replica]);
      }
    }
    const silent = [...unreachable.keys()].filter((replica) => this.#gossip.about(replica) === null);
    return [
      ...known.map(({ news: { replica, url, region, software }, heardAt }: Known) => ({
        ...{ replica, url, region, software, heardAt },
        unreachableFrom: unreachable.get(replica) ?? [],
      })),
      ...silent.map((replica) => ({
        ...{ replica, url: "", region: "", software: "", heardAt: -Infinity },
        unreachableFrom: unreachable.get(replica) ?? [],
      })),
    ];
  }

  receive(from: ReplicaId, payload: Uint8Array, now: number): void {
    const opened = openEnvelope(payload);
    // A link may be older than the cluster that its ends belong to.
    if (opened === null || opened.clusterId !== this.#options.identity.clusterId) return;
    this.#send(this.#gossip.receive(from, opened.payload, now));
    this.#compareStates();
  }

  tick(now: number, role: MemberRole): void {
    const { links } = this.#options;
    if (now - this.#saidAt >= sayMs) {
      this.#saidAt = now;
      this.#say(now, role);
    }
    const cluster = this.#options.identity.clusterId;
    const peers = () =>
      links.connected().flatMap(({ replica, clusterId }) =>
        clusterId === null || clusterId === cluster ? [replica] : []
      );
    this.#send(this.#gossip.poll(now, peers));
    if (now - this.#dialledAt >= dialMs) {
      this.#dialledAt = now;
      this.#dial();
      this.#saveUrls(now);
    }
  }

  #say(now: number, role: MemberRole): void {
    const linked = this.#linked();
    const { latest } = this.#compare;
    const refresh = now - this.#refreshedAt >= refreshMs;
    if (refresh) this.#refreshedAt = now;
    this.#gossip.say(
      {
        ...this.#options.about(),
        role,
        hashIndex: latest?.index ?? 0,
        hash: latest?.hash ?? "",
        unreachable: this.#others().filter((replica) => !linked.has(replica)).slice(0, maxUnreachable),
      },
      now,
      refresh,
    );
  }

  #others(): ReplicaId[] {
    const { configuration } = this.#gossip;
    if (configuration === null) return [];
    return members(configuration).filter((replica) => replica !== this.#options.identity.replica);
  }

  #linked(): ReadonlySet<ReplicaId> {
    return new Set(this.#options.links.connected().map(({ replica }) => replica));
  }

  /** Members without a link, where they were last said to be, as of now or before this start. */
  #dial(): void {
    const linked = this.#linked();
    const remembered = this.#options.identity.node.urls ?? {};
    const others = this.#others();
    for (const replica of others.length === 0 ? Object.keys(remembered) : others) {
      if (linked.has(replica)) continue;
      const url = this.#gossip.about(replica)?.news.url ?? remembered[replica] ?? "";
      if (url !== "") this.#options.links.dial(url, replica);
    }
  }

  /** So that a node that starts again knows where to look, whatever it is told. */
  #saveUrls(now: number): void {
    const { identity, links, log, fail } = this.#options;
    if (this.#saving || now - this.#savedAt < saveMs) return;
    const others = this.#others();
    const linked = new Map(links.connected().map(({ replica, url }) => [replica, url]));
    const known = others.flatMap((replica) => {
      const url = this.#gossip.about(replica)?.news.url ?? linked.get(replica) ??
        identity.node.urls?.[replica];
      return url ? [[replica, url] as const] : [];
    });
    const urls = Object.fromEntries(known);
    // Whoever is no member any more is forgotten; a member of whom nothing is known must not keep the others from it.
    if (known.length === 0 || JSON.stringify(urls) === JSON.stringify(identity.node.urls ?? {})) return;
    this.#savedAt = now;
    this.#saving = true;
    identity.save({ urls }, (error) => {
      this.#saving = false;
      if (error !== null) return fail(`the log cannot be written: ${error.message}`);
      log("debug", "remembers where the other members are", { urls });
    });
  }

  /** The rule: a replica whose state differs from that of a majority of the voters stops; any difference is told. */
  #compareStates(): void {
    const { identity, log, fail } = this.#options;
    for (const { news } of this.#gossip.directory()) {
      if (news.replica === identity.replica || news.hash === "") continue;
      if (!this.#compare.heard(news.replica, news.hashIndex, news.hash)) continue;
      log("error", `the applied state differs from that of ${news.replica}`, {
        index: news.hashIndex,
        theirs: news.hash,
      });
    }
    if (this.#compare.outvoted(this.#gossip.configuration?.voters ?? [])) {
      fail(
        "its applied state differs from that of a majority of the voters: move state.sqlite (and -wal, -shm) aside, " +
          "so that it is made again from the log, and start this node again",
      );
    }
  }

  #send(outgoing: readonly Outgoing[]): void {
    const { identity, links } = this.#options;
    if (identity.clusterId === null) return;
    for (const { to, payload } of outgoing) {
      const enclosed = new ByteWriter().text(identity.clusterId).raw(payload).finish();
      links.send(to, { type: "Gossip", payload: enclosed }, "control");
    }
  }
}

function openEnvelope(
  bytes: Uint8Array,
): { readonly clusterId: string; readonly payload: Uint8Array } | null {
  try {
    const reader = new ByteReader(bytes);
    const clusterId = reader.text();
    return { clusterId, payload: bytes.subarray(bytes.byteLength - reader.remaining) };
  } catch (error) {
    if (error instanceof MalformedBytes) return null;
    throw error;
  }
}
