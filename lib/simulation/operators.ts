// The people of the world: they let nodes in, remove members, change roles, several at once, and never ask for what would
// leave too few disks to go on. Which configuration they go by is the checker's newest; the leader may be further.
import { type Configuration, idOf, members } from "../raft/mod.ts";
import type { AdminRequest } from "../replica/membership-messages.ts";
import type { Fault } from "./faults.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedNode } from "./node.ts";
import type { RandomSource } from "./random.ts";
import type { Timeline } from "./time.ts";
import type { Trace } from "./trace.ts";

export type OperatorsSurroundings<Query, Answer> = {
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly nodes: readonly SimulatedNode<Query, Answer>[];
  readonly invariants: Invariants;
};

export type Change = Extract<Fault, { type: "join" | "remove" | "configure" | "demote" }>;

/** How long whoever asks for a change waits for it, ms; and when one whose fate is unknown can come to nothing new. */
const patienceMs = 5000;
const afterthoughtMs = 3000;

export class Operators<Query, Answer> {
  /** Nodes that were let in, or tried to. */
  joined = 0;
  /** Changes that may take something away, and are not over. */
  #underWay = 0;
  readonly #world: OperatorsSurroundings<Query, Answer>;

  constructor(world: OperatorsSurroundings<Query, Answer>) {
    this.#world = world;
  }

  /** Whether majorities remain whatever becomes of all that is under way. */
  mayLose(nodes: readonly SimulatedNode<Query, Answer>[]): boolean {
    const { invariants } = this.#world;
    return this.#underWay === 0 && invariants.hasRoom &&
      invariants.electorate.survivesWithout(nodes.map(({ name }) => name));
  }

  /** False = there is nothing to do it with. */
  change(change: Change, random: RandomSource): boolean {
    switch (change.type) {
      case "join":
        return this.#join(change.node, change.role ?? "voter", random);
      case "remove": {
        const node = this.#member(change.node, random);
        if (node === undefined) return false;
        const request: AdminRequest = { type: "remove", id: node.name, force: false };
        return this.#ask(request, random, (ids) => ids.filter((id) => id !== node.name));
      }
      case "demote": {
        const node = this.#member(change.node, random);
        const newest = this.#newest();
        if (node === undefined || newest === null) return false;
        const others = (list: readonly string[]) =>
          [...new Set(list.map(idOf))].filter((id) => id !== node.name);
        const voters = others(newest.voters);
        return this.#configure(voters, [...others(newest.learners), node.name], random);
      }
      case "configure": {
        if (change.voters !== undefined) return this.#configure(change.voters, change.learners ?? [], random);
        const newest = this.#newest();
        if (newest === null) return false;
        const { electorate } = this.#world.invariants;
        const alive = [...new Set(members(newest).filter((replica) => electorate.lives(replica)).map(idOf))];
        if (alive.length === 0) return false;
        const mixed = random.shuffle(alive);
        const count = random.integer(Math.min(3, alive.length), alive.length + 1);
        const learners = mixed.slice(count).filter(() => random.chance(0.7));
        return this.#configure(mixed.slice(0, count), learners, random);
      }
    }
  }

  /**
   * A list of founders brings one cluster only as long as one of them knows of it: whoever would be the last one to forget
   * is told whom to ask.
   */
  whereToJoin(name: string): readonly string[] | null {
    const { nodes, invariants: { electorate } } = this.#world;
    const others = nodes.filter((node) => node.name !== name && node.starts > 0);
    if (!others.some((node) => electorate.hasStarted(node.name))) return null;
    const remembered = others.some((node) => node.joins === null && electorate.hasStarted(node.name));
    return remembered ? null : others.map((node) => node.name);
  }

  /** For good: a node that is in no cluster yet, and was told only of nodes that are gone, is told of others. */
  adviseAll(core: readonly SimulatedNode<Query, Answer>[]): void {
    const { electorate } = this.#world.invariants;
    if (this.#newest() === null) return;
    const known = this.membersAmong(core);
    for (const node of core) {
      if (electorate.hasStarted(node.name)) continue;
      const told = known.some((other) =>
        node.joins === null ? other.joins === null : node.joins.includes(other.name)
      );
      if (told) continue;
      node.crash(false);
      node.joins = known.map(({ name }) => name);
    }
  }

  /** Whether members tell each other where all are: not before the cluster is formed. */
  get gossips(): boolean {
    return this.#newest() !== null;
  }

  /** Who of them is a member as who it is now, and knows of the cluster; nobody, where there is none yet. */
  membersAmong(nodes: readonly SimulatedNode<Query, Answer>[]): readonly SimulatedNode<Query, Answer>[] {
    const { electorate } = this.#world.invariants;
    const newest = this.#newest();
    if (newest === null) return [];
    const ids = members(newest).filter((replica) => electorate.lives(replica)).map(idOf);
    return nodes.filter(({ name }) => ids.includes(name) && electorate.hasStarted(name));
  }

  #configure(voters: readonly string[], learners: readonly string[], random: RandomSource): boolean {
    return this.#ask(
      { type: "configure", voters, learners, ifIndex: null, force: false },
      random,
      () => voters,
    );
  }

  /** Whether it may be asked for: what is left has to be able to decide. */
  #ask(
    request: AdminRequest,
    random: RandomSource,
    left: (voters: readonly string[]) => readonly string[],
  ): boolean {
    const { nodes, timeline, trace, invariants } = this.#world;
    const newest = this.#newest();
    const asked = nodes.filter(({ replica }) => replica !== null);
    if (newest === null || asked.length === 0) return false;
    const { electorate } = invariants;
    const ids = new Set(left(newest.voters.map(idOf)));
    const remaining = newest.voters.filter((replica) => ids.has(idOf(replica)));
    const added = [...ids].filter((id) => !newest.voters.some((replica) => idOf(replica) === id));
    const living = remaining.filter((replica) => electorate.lives(replica)).length + added.length;
    const hurt = newest.voters.some((replica) => !electorate.lives(replica));
    if (ids.size === 0 || 2 * living <= ids.size || (hurt && this.#underWay > 0)) return false;
    const node = random.pick(asked);
    trace.line(`people ask ${node.name}: ${JSON.stringify(request)}`);
    this.#underWay++;
    let over = false;
    const end = () => {
      if (!over) this.#underWay--;
      over = true;
    };
    timeline.after(patienceMs + afterthoughtMs, end);
    node.process?.turn(() => {
      void node.replica?.administer(request, { timeoutMs: patienceMs }).then((outcome) => {
        if (trace.on) trace.line(`people are told by ${node.name}: ${outcome.ok ? "done" : outcome.detail}`);
        if (outcome.ok || outcome.reason !== "unknown") end();
      });
    });
    return true;
  }

  #join(target: string, role: "voter" | "learner", random: RandomSource): boolean {
    const { nodes, timeline } = this.#world;
    const isRemoved = (node: SimulatedNode<Query, Answer>) => node.replica?.status().phase === "removed";
    const outside = nodes.filter((node) => node.starts === 0 && node.joins !== null || isRemoved(node));
    const node = outside.find(({ name }) => name === target) ?? (target === "any" ? outside[0] : undefined);
    const others = nodes.filter((other) => other !== node && other.starts > 0 && !isRemoved(other));
    if (node === undefined || others.length === 0) return false;
    if (isRemoved(node)) {
      if (!this.#world.invariants.hasRoom) return false;
      node.crash(false, true);
      node.wipe();
    }
    this.joined++;
    node.role = role;
    node.joins = random.shuffle(others.map(({ name }) => name)).slice(0, random.integer(1, 3));
    timeline.after(1, () => node.start());
    return true;
  }

  #newest(): Configuration | null {
    return this.#world.invariants.electorate.newest?.configuration ?? null;
  }

  /** A member whose disk is there, by its name or by chance. */
  #member(target: string, random: RandomSource): SimulatedNode<Query, Answer> | undefined {
    const newest = this.#newest();
    const listed = newest === null ? [] : members(newest).map(idOf);
    const eligible = this.#world.nodes.filter(({ name }) => listed.includes(name));
    const leader = eligible.find(({ replica }) => replica?.status().role === "leader");
    if (target === "leader" && leader !== undefined) return leader;
    const named = eligible.find(({ name }) => name === target);
    if (named !== undefined) return named;
    const meant = target === "follower" ? eligible.filter((node) => node !== leader) : eligible;
    const drawn = ["any", "leader", "follower"].includes(target) && meant.length > 0;
    return drawn ? random.pick(meant) : undefined;
  }
}
