// Whose word counts, by the checker's own arithmetic (Raft §6): which replica each node is now, the configurations in each
// node's durable log, those that were committed, and who makes a majority of them. Nothing here asks the code under test.
import { type Configuration, type ConfigurationAt, firstConfiguration, type ReplicaId } from "../raft/mod.ts";
import type { LocalIdentity } from "../replica/identity.ts";

export class Electorate {
  /** Committed ones, ascending; the first is what the nodes agreed upon before there was a log. */
  readonly #committed: ConfigurationAt[] = [];
  readonly #identities = new Map<string, LocalIdentity>();
  /** By node: what its durable log holds. */
  readonly #durable = new Map<string, ConfigurationAt[]>();

  /** A process of this node has come to know who it is. */
  boots(node: string, identity: LocalIdentity): void {
    this.#identities.set(node, identity);
  }

  /** Nobody will ever be this replica again. */
  wiped(node: string): void {
    this.#identities.delete(node);
    this.#durable.delete(node);
  }

  /** undefined = it has never started, or lost its disk. */
  replicaOf(node: string): ReplicaId | undefined {
    return this.#identities.get(node)?.replica;
  }

  /** Whether its disk knows of a cluster that it belongs to. */
  hasStarted(node: string): boolean {
    return this.#identities.get(node)?.node.started === true;
  }

  /** Whether all who are to form a cluster with this node have the same written down, as far as they have their disks. */
  allRecorded(node: string): boolean {
    const record = this.#identities.get(node)?.node.record?.join() ?? null;
    const listed = [...this.#identities.values()].filter(({ replica }) =>
      record?.split(",").includes(replica)
    );
    return listed.every((identity) => identity.node.record?.join() === record);
  }

  lives(replica: ReplicaId): boolean {
    for (const identity of this.#identities.values()) if (identity.replica === replica) return true;
    return false;
  }

  durable(
    node: string,
    cutFrom: number | null,
    rows: readonly { readonly index: number; readonly configuration: Configuration | null }[],
  ): void {
    const found: ConfigurationAt[] = [];
    for (const { index, configuration } of rows) {
      if (configuration !== null) found.push({ index, configuration });
    }
    if (cutFrom === null && found.length === 0) return;
    const kept = (this.#durable.get(node) ?? []).filter(({ index }) => cutFrom === null || index < cutFrom);
    this.#durable.set(node, [...kept, ...found]);
  }

  /** Somebody is the first to apply the configuration at this index; false = its durable log has none there. */
  commits(node: string, index: number): boolean {
    const found = this.#durable.get(node)?.find((at) => at.index === index);
    if (found === undefined) return false;
    this.#begin(node);
    this.#committed.push(found);
    return true;
  }

  /** The newest configuration that is committed; null = no cluster has done anything yet. */
  get newest(): ConfigurationAt | null {
    return this.#committed.at(-1) ?? null;
  }

  /** What the committed log says at this index. */
  at(node: string, index: number): ConfigurationAt | null {
    this.#begin(node);
    for (let at = this.#committed.length - 1; at >= 0; at--) {
      const known = this.#committed[at];
      if (known !== undefined && known.index <= index) return known;
    }
    return null;
  }

  /** What a node's durable log says: in force there from the moment of its append. */
  inForce(node: string): Configuration | null {
    const newest = this.#durable.get(node)?.at(-1);
    if (newest !== undefined) return newest.configuration;
    const record = this.#identities.get(node)?.node.record ?? null;
    return record === null ? null : firstConfiguration(record);
  }

  /** Every configuration that may still decide something: the newest committed one and all that any log has after it. */
  #possible(): Configuration[] {
    const since = this.newest?.index ?? 0;
    const later = [...this.#durable.values()].flatMap((list) => list.filter(({ index }) => index > since));
    const records = since > 0 ? [] : [...this.#identities.values()].map(({ node }) => node.record ?? []);
    return [
      ...this.#committed.slice(-1).map(({ configuration }) => configuration),
      ...later.map(({ configuration }) => configuration),
      ...records.filter((record) => record.length > 0).map(firstConfiguration),
    ];
  }

  /**
   * Whether majorities remain everywhere when these nodes are gone, besides all that are gone already. Learners count as if
   * they voted: they may be about to.
   */
  survivesWithout(nodes: readonly string[]): boolean {
    const going = new Set(nodes.map((node) => this.replicaOf(node)));
    const isGone = (replica: ReplicaId) => going.has(replica) || !this.lives(replica);
    return this.#possible().every((configuration) => keepsMajorities(configuration, isGone));
  }

  #begin(node: string): void {
    if (this.#committed.length > 0) return;
    const record = this.#identities.get(node)?.node.record ?? null;
    if (record !== null) this.#committed.push({ index: 0, configuration: firstConfiguration(record) });
  }
}

/** Raft §6: separate majorities of both groups; learners never count. */
export function isMajority(
  { voters, outgoing }: Configuration,
  has: (replica: ReplicaId) => boolean,
): boolean {
  return isMajorityOf(voters, has) && (outgoing.length === 0 || isMajorityOf(outgoing, has));
}

export function isMajorityOf(group: readonly ReplicaId[], has: (replica: ReplicaId) => boolean): boolean {
  let count = 0;
  for (const replica of group) if (has(replica)) count++;
  return 2 * count > group.length;
}

function keepsMajorities(
  { voters, outgoing, learners }: Configuration,
  isGone: (replica: ReplicaId) => boolean,
): boolean {
  const spare = learners.filter(isGone).length;
  return [voters, outgoing].every((group) =>
    group.length === 0 || 2 * (group.filter(isGone).length + spare) < group.length
  );
}
