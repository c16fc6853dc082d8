// Gossip: digests to a few random peers each second, news at once. It tells who is where and which configuration is the
// newest committed one; it never changes a quorum.
//
//   every second            digest → up to 3 peers
//   digest, sender is behind  news → sender
//   digest, sender is ahead   digest → sender (which then sends news); only where the first allows it
//   something new           news → up to 3 peers, at the next poll
import { decodeGossip, encodeGossip, type GossipMessage } from "./codec.ts";
import {
  type ConfigurationNews,
  type Digest,
  isListed,
  isNewer,
  type LeaderNews,
  type MemberNews,
  type News,
  type ReplicaId,
  type Version,
} from "./news.ts";

export type GossipOptions = {
  readonly replica: ReplicaId;
  readonly bootCount: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
};

/** A payload for one peer. */
export type Outgoing = { readonly to: ReplicaId; readonly payload: Uint8Array };

/** What is known of a member, and when it was last said anew (clock of whoever calls, ms). */
export type Known = { readonly news: MemberNews; readonly heardAt: number };

const fanout = 3;
const roundMs = 1000;
/** News of one message; the rest follows with the next digest. */
const maxMembers = 64;

export class Gossip {
  readonly #options: GossipOptions;
  readonly #known = new Map<ReplicaId, Known>();
  #configuration: ConfigurationNews | null = null;
  #leader: LeaderNews | null = null;
  #counter = 0;
  #nextRound = -Infinity;
  /** What came to be known since the last poll, to be passed on at once. */
  readonly #fresh = new Set<ReplicaId>();
  #configurationIsFresh = false;
  #leaderIsFresh = false;

  constructor(options: GossipOptions) {
    this.#options = options;
  }

  /** Says something new of oneself; saying the same again is no news, unless it is a sign of life (`refresh`). */
  say(about: Omit<MemberNews, "replica" | "bootCount" | "counter">, now: number, refresh = false): void {
    const { replica, bootCount } = this.#options;
    const before = this.#known.get(replica)?.news;
    const same = before !== undefined &&
      JSON.stringify({ ...before, ...about }) === JSON.stringify(before);
    if (same && !refresh) return;
    this.#keep({ replica, bootCount, counter: ++this.#counter, ...about }, now);
  }

  /** A configuration that is known to be committed. Older ones change nothing; members that it lacks are forgotten. */
  configured(configuration: ConfigurationNews): void {
    if (this.#configuration !== null && configuration.index <= this.#configuration.index) return;
    this.#configuration = configuration;
    this.#configurationIsFresh = true;
    for (const replica of this.#known.keys()) if (!this.#listensTo(replica)) this.#known.delete(replica);
  }

  led(leader: LeaderNews): void {
    if (this.#leader !== null && leader.term <= this.#leader.term) return;
    this.#leader = leader;
    this.#leaderIsFresh = true;
  }

  get configuration(): ConfigurationNews | null {
    return this.#configuration;
  }

  get leader(): LeaderNews | null {
    return this.#leader;
  }

  /** Everything known of members. */
  directory(): readonly Known[] {
    return [...this.#known.values()];
  }

  about(replica: ReplicaId): Known | null {
    return this.#known.get(replica) ?? null;
  }

  /** What is due now, to some of the peers. Called at least every 100 ms or so; most calls return nothing. */
  poll(now: number, peersNow: () => readonly ReplicaId[]): Outgoing[] {
    const hasNews = this.#fresh.size > 0 || this.#configurationIsFresh || this.#leaderIsFresh;
    if (!hasNews && now < this.#nextRound) return [];
    const outgoing: Outgoing[] = [];
    const peers = peersNow();
    if (hasNews) {
      const news: News = {
        members: [...this.#fresh].flatMap((replica) => this.#known.get(replica)?.news ?? []).slice(
          0,
          maxMembers,
        ),
        configuration: this.#configurationIsFresh ? this.#configuration : null,
        leader: this.#leaderIsFresh ? this.#leader : null,
      };
      const to = this.#choose(peers);
      outgoing.push(...packs(to, { type: "news", news }));
      if (to.length > 0) this.#forgetFresh();
    }
    if (now >= this.#nextRound) {
      this.#nextRound = now + roundMs;
      outgoing.push(...packs(this.#choose(peers), { type: "digest", digest: this.#digest(true) }));
    }
    return outgoing;
  }

  /** Takes in a payload; bytes that are none are ignored. Returns what is to be answered. */
  receive(from: ReplicaId, payload: Uint8Array, now: number): Outgoing[] {
    const message = decodeGossip(payload);
    if (message === null) return [];
    if (message.type === "digest") return this.#answer(from, message.digest);
    const { members, configuration, leader } = message.news;
    if (configuration !== null) this.configured(configuration);
    if (leader !== null) this.led(leader);
    for (const member of members) {
      const before = this.#known.get(member.replica);
      if (!this.#listensTo(member.replica) || member.replica === this.#options.replica) continue;
      if (before === undefined || isNewer(member, before.news)) this.#keep(member, now);
    }
    return [];
  }

  #answer(from: ReplicaId, theirs: Digest): Outgoing[] {
    const outgoing: Outgoing[] = [];
    const versions = new Map<ReplicaId, Version>(
      theirs.versions.map(([replica, bootCount, counter]) => [replica, { bootCount, counter }]),
    );
    const members = [...this.#known.values()].map(({ news }) => news).filter((news) => {
      const known = versions.get(news.replica);
      return known === undefined || isNewer(news, known);
    });
    const configuration = (this.#configuration?.index ?? -1) > theirs.configurationIndex
      ? this.#configuration
      : null;
    const leader = (this.#leader?.term ?? 0) > theirs.leaderTerm ? this.#leader : null;
    if (members.length > 0 || configuration !== null || leader !== null) {
      const news = { members: members.slice(0, maxMembers), configuration, leader };
      outgoing.push(pack(from, { type: "news", news }));
    }
    if (theirs.mayAsk && this.#lacks(theirs, versions)) {
      outgoing.push(pack(from, { type: "digest", digest: this.#digest(false) }));
    }
    return outgoing;
  }

  #lacks(theirs: Digest, versions: ReadonlyMap<ReplicaId, Version>): boolean {
    if (theirs.configurationIndex > (this.#configuration?.index ?? 0)) return true;
    if (theirs.leaderTerm > (this.#leader?.term ?? 0)) return true;
    for (const [replica, version] of versions) {
      if (!this.#listensTo(replica) || replica === this.#options.replica) continue;
      const known = this.#known.get(replica);
      if (known === undefined || isNewer(version, known.news)) return true;
    }
    return false;
  }

  #digest(mayAsk: boolean): Digest {
    return {
      versions: [...this.#known.values()].map(({ news }) =>
        [news.replica, news.bootCount, news.counter] as const
      ),
      configurationIndex: this.#configuration?.index ?? 0,
      leaderTerm: this.#leader?.term ?? 0,
      mayAsk,
    };
  }

  /** Only members count: replayed gossip must not bring back a replica that was removed. Before any configuration is known, anybody does. */
  #listensTo(replica: ReplicaId): boolean {
    if (replica === this.#options.replica || this.#configuration === null) return true;
    return isListed(this.#configuration, replica);
  }

  #keep(news: MemberNews, now: number): void {
    this.#known.set(news.replica, { news, heardAt: now });
    this.#fresh.add(news.replica);
  }

  #forgetFresh(): void {
    this.#fresh.clear();
    this.#configurationIsFresh = false;
    this.#leaderIsFresh = false;
  }

  #choose(peers: readonly ReplicaId[]): ReplicaId[] {
    const left = peers.filter((peer) => peer !== this.#options.replica);
    const chosen: ReplicaId[] = [];
    while (chosen.length < fanout && left.length > 0) {
      chosen.push(...left.splice(Math.floor(this.#options.random() * left.length), 1));
    }
    return chosen;
  }
}

function pack(to: ReplicaId, message: GossipMessage): Outgoing {
  return { to, payload: encodeGossip(message) };
}

/** The same for several. */
function packs(to: readonly ReplicaId[], message: GossipMessage): Outgoing[] {
  const payload = encodeGossip(message);
  return to.map((peer) => ({ to: peer, payload }));
}
