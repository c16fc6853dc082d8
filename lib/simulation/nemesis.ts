// Carries out a schedule of faults on a world, each until its time is over or the world heals. What a fault does to a thing
// it holds on it (holds.ts), so that faults may overlap and end in any order.
import { lieInWait } from "./ambush.ts";
import { cut, lag } from "./cut.ts";
import { describeFault, type Fault, type Target } from "./faults.ts";
import { Holds, type Release } from "./holds.ts";
import { leaderOf } from "./leader.ts";
import type { Network } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import { isNodeFault, strikeNode } from "./node-faults.ts";
import type { Operators } from "./operators.ts";
import type { RandomSource } from "./random.ts";
import type { Timeline } from "./time.ts";
import type { Trace } from "./trace.ts";
import { stormy, type Weather } from "./weather.ts";

export type NemesisSurroundings<Query, Answer> = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly trace: Trace;
  readonly random: RandomSource;
  readonly nodes: readonly SimulatedNode<Query, Answer>[];
  readonly weather: Weather;
  setPressure(factor: number): void;
  /** Whether nodes may be lost for good by now: the cluster has formed, and a majority remains. */
  mayLose(node: SimulatedNode<Query, Answer>): boolean;
  /** null = the members are those that the cluster was formed of, whatever becomes of them. */
  readonly operators: Operators<Query, Answer> | null;
};

type Storm = Extract<Fault, { type: "storm" }>;

export class Nemesis<Query, Answer> {
  /** A voter was made a learner, perhaps for good: a bare majority of the nodes may be none of the voters. */
  changedMembers = false;
  readonly #world: NemesisSurroundings<Query, Answer>;
  readonly #schedule: readonly Fault[];
  readonly #struck = new Set<number>();
  /** Faults whose time came. */
  readonly #due = new Set<number>();
  readonly #active = new Set<Release>();
  readonly #storms: Holds<Storm>;
  readonly #pressure: Holds<number>;
  readonly #demoted: Holds<string>;
  #learners: readonly string[] = [];
  /** Somebody is no longer where the others were told at first. */
  #moved = false;
  #healed = false;

  /** `keep` names the faults of the schedule that are carried out; null = all. The others' chances stay as they were. */
  constructor(
    world: NemesisSurroundings<Query, Answer>,
    schedule: readonly Fault[],
    keep: ReadonlySet<number> | null,
  ) {
    this.#world = world;
    this.#schedule = schedule;
    this.#storms = new Holds((storms) => world.network.weather = stormy(world.weather, storms));
    this.#pressure = new Holds((factors) =>
      world.setPressure(Math.max(...factors, factors.length > 0 ? 0 : 1))
    );
    this.#demoted = new Holds((names) => this.#configure(names));
    schedule.forEach((fault, number) => {
      if (keep === null || keep.has(number)) world.timeline.at(fault.at, () => this.#strike(fault, number));
    });
  }

  /** Faults that struck. */
  get struck(): number {
    return this.#struck.size;
  }

  /** Faults that were to strike, and found nothing to. */
  missed(): string[] {
    return [...this.#due].filter((number) => !this.#struck.has(number)).map((number) => {
      const fault = this.#schedule[number];
      return `fault ${number}${fault === undefined ? "" : ` at ${describeFault(fault)}`}`;
    });
  }

  /** Ends everything that lasts; no further fault strikes. */
  heal(): void {
    this.#healed = true;
    for (const release of [...this.#active]) release();
  }

  /** Whom a node was told of when it moved may be away for good: all are told of one member who is not. */
  tellWhereabouts(core: readonly SimulatedNode<Query, Answer>[]): void {
    if (!this.#moved) return;
    const { operators, network } = this.#world;
    const told = operators === null || !operators.gossips ? core : operators.membersAmong(core).slice(0, 1);
    for (const node of core) for (const { name } of told) node.tell(network.addressOf(name));
  }

  #strike(fault: Fault, number: number): void {
    if (this.#healed) return;
    const { timeline, trace, random } = this.#world;
    this.#due.add(number);
    const end = this.#apply(fault, number, random.fork(`fault ${number}`));
    if (end === null) return;
    if (fault.type !== "ambush") this.#struck.add(number);
    trace.line(`fault ${number} ${describeFault(fault)}`);
    const once = () => {
      if (!this.#active.delete(once)) return;
      trace.line(`fault ${number} over`);
      end();
    };
    this.#active.add(once);
    timeline.after(fault.forMs, once);
  }

  /** What ends it; null = there was nothing to strike. */
  #apply(fault: Fault, number: number, random: RandomSource): Release | null {
    const { network, nodes, timeline, operators } = this.#world;
    const find = (target: Target) => findNode(nodes, target, random);
    if (isNodeFault(fault)) {
      const node = find(fault.node);
      if (node === undefined) return null;
      const mayLose = !this.changedMembers && this.#world.mayLose(node);
      return strikeNode(node, fault, random, mayLose);
    }
    switch (fault.type) {
      case "partition":
      case "lag": {
        const side = new Set(fault.side.flatMap((target) => find(target)?.name ?? []));
        const others = nodes.filter(({ name }) => !side.has(name)).map(({ name }) => name);
        if (side.size === 0 || others.length === 0) return null;
        return fault.type === "lag"
          ? lag(network, [...side], others, fault.oneWay, fault.delayMs)
          : cut(network, [...side], others, fault.oneWay, random);
      }
      case "flap":
        return this.#flap(find(fault.a)?.name, find(fault.b)?.name, fault.periodMs, random);
      case "storm":
        return this.#storms.hold(fault);
      case "blackout": {
        const running = nodes.filter((node) => node.running);
        const ups = running.map((node) => node.keepDown());
        for (const node of running) node.crash(true);
        return running.length === 0 ? null : () => ups.forEach((up, at) => void timeline.after(at * 7, up));
      }
      case "ambush": {
        const prey = fault.node === "any" ? null : find(fault.node)?.name ?? null;
        return lieInWait(this.#world, fault, prey, random, () => this.#struck.add(number));
      }
      case "overload":
        return this.#pressure.hold(fault.factor);
      case "join":
      case "remove":
      case "configure":
        return operators?.change(fault, random) === true ? () => {} : null;
      case "demote":
        if (operators !== null) return operators.change(fault, random) ? () => {} : null;
        return this.#demote(find(fault.node));
      case "move": {
        const node = fault.node === "all" ? undefined : find(fault.node);
        const moving = fault.node === "all"
          ? nodes.filter(({ running }) => running)
          : node?.running
          ? [node]
          : [];
        return moving.length === 0 ? null : this.#move(moving, random);
      }
      case "transfer": {
        const leader = find("leader");
        const to = fault.to === undefined ? null : find(fault.to)?.identity?.replica ?? null;
        leader?.process?.turn(() => void leader.replica?.transferLeadership(to));
        return leader === undefined ? null : () => {};
      }
    }
  }

  /** Who is lost and whose vote is taken away at once would be too many: a run has one of the two. */
  #demote(node: SimulatedNode<Query, Answer> | undefined): Release | null {
    const { nodes, mayLose } = this.#world;
    if (node === undefined || nodes.some(({ lost }) => lost) || !mayLose(node)) return null;
    if (2 * new Set([...this.#learners, node.name]).size >= nodes.length) return null;
    this.changedMembers = true;
    return this.#demoted.hold(node.name);
  }

  /** All are voters but these; nobody may be there to be asked: the healed core brings the members back. */
  #configure(learners: readonly string[]): void {
    const { nodes, random } = this.#world;
    this.#learners = learners;
    const asked = nodes.filter(({ replica }) => replica !== null);
    const voters = nodes.map(({ name }) => name).filter((name) => !learners.includes(name));
    if (asked.length === 0) return;
    const node = random.pick(asked);
    const request = {
      type: "configure",
      voters,
      learners: [...new Set(learners)],
      ifIndex: null,
      force: false,
    } as const;
    node.process?.turn(() => void node.replica?.administer(request, { timeoutMs: 5000 }));
  }

  /** They are all gone before the first is told anything: what each is told is the new address of another. */
  #move(moving: readonly SimulatedNode<Query, Answer>[], random: RandomSource): Release {
    const { nodes, network, operators, trace } = this.#world;
    this.#moved = true;
    const ups = moving.map((node) => node.keepDown());
    for (const node of moving) {
      node.crash(false);
      network.move(node.name);
      trace.line(`${node.name} moves to ${network.addressOf(node.name)}`);
    }
    // In a ring, so that everybody hangs together.
    const ring = random.shuffle(moving.length > 1 ? moving : nodes.filter(({ starts }) => starts > 0));
    for (const node of moving) {
      const others = operators === null || !operators.gossips
        ? nodes
        : [ring[(ring.indexOf(node) + 1) % ring.length] ?? node];
      for (const other of others) if (other !== node) node.tell(network.addressOf(other.name));
    }
    return () => ups.forEach((up) => up());
  }

  #flap(
    a: string | undefined,
    b: string | undefined,
    periodMs: number,
    random: RandomSource,
  ): Release | null {
    const { network, timeline } = this.#world;
    if (a === undefined || b === undefined || a === b) return null;
    let isCut = false;
    let over = false;
    const toggle = () => {
      if (over) return;
      isCut = !isCut;
      for (const [from, to] of [[a, b], [b, a]] as const) {
        if (isCut) network.block(from, to, random.chance(0.3) ? 1 : null);
        else network.unblock(from, to);
      }
      timeline.after(periodMs * random.between(0.3, 1), toggle);
    };
    toggle();
    return () => {
      if (isCut) toggle();
      over = true;
    };
  }
}

function findNode<Query, Answer>(
  nodes: readonly SimulatedNode<Query, Answer>[],
  target: Target,
  random: RandomSource,
): SimulatedNode<Query, Answer> | undefined {
  const named = nodes.find(({ name }) => name === target);
  if (named !== undefined) return named;
  const running = nodes.filter(({ replica }) => replica !== null);
  const leader = leaderOf(running);
  if (target === "leader") return leader ?? (running.length > 0 ? random.pick(running) : undefined);
  const eligible = target === "follower" ? running.filter((node) => node !== leader) : running;
  return target === "follower" || target === "any"
    ? eligible.length > 0 ? random.pick(eligible) : undefined
    : undefined;
}
