// One random life of a few cores, from a seed: messages delivered, dropped, duplicated and reordered, crashes, slow
// disks, cut links, drifting clocks; writes, reads, membership changes, transfers. After every step the invariants are
// checked; at the end everything is healed, and then it must get on.
import { type Configuration, members, type RaftOptions, type ReplicaId } from "../../lib/raft/mod.ts";
import { ScriptWorld } from "../scripts/world.ts";
import { seededRandom } from "../support/random.ts";

/** What a life was like; `failure` says what broke, null = nothing. */
export type Life = {
  readonly seed: number;
  readonly steps: number;
  readonly committed: number;
  readonly failure: string | null;
  readonly trace: readonly string[];
};

export function live(seed: number, maxSteps: number): Life {
  const chaos = new Chaos(seed);
  let failure: string | null = null;
  try {
    for (let step = 0; step < maxSteps; step++) chaos.step();
    chaos.healAndDemandProgress();
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const { steps, world } = chaos;
  const trace = world.trace.slice(-60);
  return { seed, steps, committed: world.ledger.committedIndex, failure, trace };
}

class Chaos {
  readonly world: ScriptWorld;
  steps = 0;
  readonly #random: () => number;
  readonly #ids: readonly ReplicaId[];
  readonly #rates = new Map<ReplicaId, number>();
  readonly #changes: boolean;
  #calm = false;
  #serial = 0;

  constructor(seed: number) {
    const random = seededRandom(seed);
    this.#random = random;
    this.#changes = this.#chance(0.5);
    const voters = ["n1", "n2", "n3", "n4", "n5"].slice(0, this.#pick([3, 3, 4, 5]));
    const learners = this.#chance(0.3) ? ["n6"] : [];
    this.world = new ScriptWorld(this.#options());
    const configuration: Configuration = { voters, outgoing: [], learners };
    const spare = this.#changes ? ["n7", "n8"] : [];
    this.#ids = [...voters, ...learners, ...spare];
    for (const id of this.#ids) {
      this.world.add(id, configuration);
      // Any two differ by less than the 10 % that leases allow for.
      this.#rates.set(id, 0.96 + 0.08 * random());
    }
  }

  #options(): Partial<RaftOptions> {
    const random = this.#random;
    const options: Partial<RaftOptions> = {
      random,
      thrifty: this.#chance(0.2),
      retransmitMs: this.#pick([20, 100, 300]),
    };
    if (this.#chance(0.5)) return options;
    const small = this.#pick([1, 70, 200]);
    return {
      ...options,
      maxMessageBytes: small,
      maxInflightMessages: this.#pick([1, 2, 8]),
      maxTailBytes: this.#pick([1, 300]),
      maxCommittedBytes: small,
    };
  }

  step(): void {
    this.steps++;
    if (this.#chance(this.#calm ? 0.05 : 0.03)) this.#calm = !this.#calm;
    if (this.world.trace.length > 200) this.world.trace.splice(0, 140);
    const action = this.#random();
    if (action < 0.35) this.#passTime(this.#chance(0.02) ? 2000 : 1 + this.#below(60));
    else if (action < 0.75) this.#moveMessages();
    else if (action < 0.93) this.#ask();
    else if (!this.#calm) this.#disturb();
  }

  #passTime(ms: number): void {
    for (const node of this.world.nodes.values()) node.now += ms * (this.#rates.get(node.id) ?? 1);
    for (const node of this.world.nodes.values()) {
      if (node.raft !== null && (this.#calm || this.#chance(0.9))) this.world.step(node.id, { type: "tick" });
    }
  }

  #moveMessages(): void {
    const { world } = this;
    if (this.#calm) {
      for (let left = 30; left > 0; left--) {
        const next = world.wire.shift();
        if (next !== undefined) world.deliver(next);
      }
      return;
    }
    for (let left = 1 + this.#below(12); left > 0 && world.wire.length > 0; left--) {
      const at = this.#chance(0.7) ? 0 : this.#below(world.wire.length);
      const wire = world.wire[at];
      if (wire === undefined) continue;
      if (!this.#chance(0.1)) world.wire.splice(at, 1);
      if (!this.#chance(0.1)) world.deliver(wire);
    }
    // Old messages stay about for long, but not for ever.
    while (world.wire.length > 150) world.wire.splice(this.#below(world.wire.length), 1);
  }

  #ask(): void {
    const id = this.#chance(0.8) ? this.#newestLeader() ?? this.#someone() : this.#someone();
    const node = this.world.node(id);
    if (node.raft === null) return;
    const kind = this.#random();
    if (kind < 0.6) {
      const data = new TextEncoder().encode(`${++this.#serial}`);
      node.raft.propose({ type: "command", data });
    } else if (kind < 0.85) this.world.read(id, ++this.#serial);
    else if (kind < 0.95) {
      if (this.#changes) this.#proposeConfiguration(id);
    } else node.raft.transfer(this.#chance(0.5) ? null : this.#someone());
    this.world.drain(node);
  }

  #proposeConfiguration(id: ReplicaId): void {
    const voters: ReplicaId[] = [];
    const learners: ReplicaId[] = [];
    for (const replica of this.#ids) {
      const part = this.#random();
      if (part < 0.55) voters.push(replica);
      else if (part < 0.7) learners.push(replica);
    }
    this.world.raft(id).propose({ type: "configuration", voters, learners });
  }

  #disturb(): void {
    const { world } = this;
    const node = world.node(this.#someone());
    const kind = this.#random();
    if (kind < 0.25) {
      if (node.raft !== null) {
        const held = Math.min(node.raft.status().lastApplied, node.disk.entries.length);
        node.disk.lastApplied = Math.max(node.disk.lastApplied, this.#below(held + 1));
      }
      world.crash(node.id);
    } else if (kind < 0.55) {
      for (const other of world.nodes.values()) {
        if (other.raft === null && this.#chance(0.7)) world.start(other);
      }
    } else if (kind < 0.65) node.diskIsSlow = true;
    else if (kind < 0.85) {
      node.diskIsSlow = node.diskIsSlow && this.#chance(0.5);
      world.flush(node);
    } else if (kind < 0.93) {
      world.cut(node.id, this.#someone());
      if (this.#chance(0.5)) world.partition([[node.id], this.#ids.filter((id) => id !== node.id)]);
    } else world.heal();
  }

  /** Whatever happened: with everybody up and connected, something new is committed and reaches every member. */
  healAndDemandProgress(): void {
    const { world } = this;
    world.heal();
    for (const node of world.nodes.values()) {
      node.diskIsSlow = false;
      if (node.raft === null) world.start(node);
      else world.flush(node);
    }
    for (let round = 0; round < 60; round++) {
      world.trace.length = 0;
      world.wait(500);
      const leader = this.#newestLeader();
      if (leader === null) continue;
      // What earlier leaders left is committed without waiting for a new write.
      const left = world.raft(leader).status();
      if (left.commitIndex < left.last.index) continue;
      const proposed = world.raft(leader).propose({ type: "command", data: new Uint8Array(1) });
      world.drain(world.node(leader));
      world.wait(500);
      if (!proposed.ok || world.ledger.committedIndex < proposed.value.index) continue;
      const { configuration, configurationUncommitted } = world.raft(leader).status();
      const everywhere = members(configuration.configuration).every((id) =>
        world.raft(id).status().lastApplied >= proposed.value.index
      );
      if (!everywhere || configurationUncommitted || configuration.configuration.outgoing.length > 0) {
        continue;
      }
      const open = world.ledger.unansweredReads();
      if (open.length > 0) throw new Error(`reads ${open.join(", ")} were never answered`);
      return;
    }
    const statuses = [...world.nodes.values()].map(({ raft }) => JSON.stringify(raft?.status()));
    throw new Error(`no progress within a minute of calm\n${statuses.join("\n")}`);
  }

  #newestLeader(): ReplicaId | null {
    let newest: { readonly id: ReplicaId; readonly term: number } | null = null;
    for (const { id, raft } of this.world.nodes.values()) {
      const status = raft?.status();
      if (status?.role !== "leader" || newest !== null && newest.term >= status.currentTerm) continue;
      newest = { id, term: status.currentTerm };
    }
    return newest?.id ?? null;
  }

  #someone(): ReplicaId {
    return this.#pick(this.#ids);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  #pick<T>(list: readonly T[]): T {
    const item = list[this.#below(list.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }
}
