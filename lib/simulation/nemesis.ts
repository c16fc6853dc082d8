// Carries out a schedule of faults on a world, each undone after its time or when the world heals.
import { describeFault, type Fault, type Target } from "./faults.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import { leaderOf } from "./leader.ts";
import type { Network } from "./network.ts";
import type { SimulatedNode } from "./node.ts";
import type { Operators } from "./operators.ts";
import type { RandomSource } from "./random.ts";
import type { Timeline } from "./time.ts";
import type { Trace } from "./trace.ts";
import type { Weather } from "./weather.ts";

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

type Undo = () => void;

type Ambush = Extract<Fault, { type: "ambush" }>;

export class Nemesis<Query, Answer> {
  /** Faults that struck. */
  struck = 0;
  /** A voter was made a learner, perhaps for good: a bare majority of the nodes may be none of the voters. */
  changedMembers = false;
  readonly #world: NemesisSurroundings<Query, Answer>;
  readonly #active = new Set<Undo>();
  #healed = false;

  /** `keep` names the faults of the schedule that are carried out; null = all. The others' chances stay as they were. */
  constructor(
    world: NemesisSurroundings<Query, Answer>,
    schedule: readonly Fault[],
    keep: ReadonlySet<number> | null,
  ) {
    this.#world = world;
    schedule.forEach((fault, number) => {
      if (keep === null || keep.has(number)) world.timeline.at(fault.at, () => this.#strike(fault, number));
    });
  }

  /** Ends everything that lasts; no further fault strikes. */
  heal(): void {
    this.#healed = true;
    for (const undo of [...this.#active]) undo();
  }

  #strike(fault: Fault, number: number): void {
    if (this.#healed) return;
    const { timeline, trace, random } = this.#world;
    const undo = this.#apply(fault, random.fork(`fault ${number}`));
    if (undo === null) return;
    this.struck++;
    trace.line(`fault ${number} ${describeFault(fault)}`);
    const once = () => {
      if (!this.#active.delete(once)) return;
      trace.line(`fault ${number} over`);
      undo();
    };
    this.#active.add(once);
    timeline.after(fault.forMs, once);
  }

  #apply(fault: Fault, random: RandomSource): Undo | null {
    const { network, nodes, timeline } = this.#world;
    switch (fault.type) {
      case "partition": {
        const side = new Set(fault.side.map((target) => this.#node(target, random)?.name ?? ""));
        const others = nodes.filter(({ name }) => !side.has(name)).map(({ name }) => name);
        return this.#cut([...side].filter((name) => name !== ""), others, fault.oneWay, random);
      }
      case "flap":
        return this.#flap(fault, random);
      case "storm": {
        const { loss, duplicate, delayMs } = fault;
        const before = this.#world.weather;
        network.weather = { ...before, loss, duplicate, meanDelayMs: delayMs, ordered: false };
        return () => network.weather = before;
      }
      case "blackout": {
        const running = nodes.filter((node) => node.running);
        for (const node of running) node.crash(true);
        return () => running.forEach((node, at) => void timeline.after(at * 7, () => node.start()));
      }
      case "ambush":
        return this.#lieInWait(fault, random);
      case "overload":
        this.#world.setPressure(fault.factor);
        return () => this.#world.setPressure(1);
      case "join":
      case "remove":
      case "configure":
        return this.#world.operators?.change(fault, random) === true ? () => {} : null;
      case "demote": {
        if (this.#world.operators !== null) {
          return this.#world.operators.change(fault, random) ? () => {} : null;
        }
        const node = this.#node(fault.node, random);
        // Who is lost and whose vote is taken away at once would be too many: a run has one of the two.
        if (node === undefined || nodes.some(({ lost }) => lost) || !this.#world.mayLose(node)) return null;
        this.changedMembers = true;
        const names = nodes.map(({ name }) => name);
        const configure = (voters: readonly string[], learners: readonly string[]) => {
          const running = nodes.filter(({ replica }) => replica !== null);
          // Nobody is there to be asked: the healed core brings the members back.
          if (running.length === 0) return;
          const asked = random.pick(running);
          const request = { type: "configure", voters, learners, ifIndex: null, force: false } as const;
          asked.process?.turn(() => void asked.replica?.administer(request, { timeoutMs: 5000 }));
        };
        configure(names.filter((name) => name !== node.name), [node.name]);
        return () => configure(names, []);
      }
      case "transfer": {
        const leader = this.#node("leader", random);
        const to = fault.to === undefined ? null : this.#node(fault.to, random)?.identity?.replica ?? null;
        leader?.process?.turn(() => void leader.replica?.transferLeadership(to));
        return leader === undefined ? null : () => {};
      }
      default: {
        const node = this.#node(fault.node, random);
        return node === undefined ? null : this.#strikeNode(node, fault, random);
      }
    }
  }

  #strikeNode(
    node: SimulatedNode<Query, Answer>,
    fault: Exclude<
      Fault,
      {
        type:
          | "partition"
          | "flap"
          | "storm"
          | "blackout"
          | "ambush"
          | "overload"
          | "transfer"
          | "demote"
          | "join"
          | "remove"
          | "configure";
      }
    >,
    random: RandomSource,
  ): Undo | null {
    const { process, clock, disk } = node;
    if (process === null) return null;
    switch (fault.type) {
      case "crash":
        node.crash(fault.power ?? false);
        return () => node.start();
      case "stop":
        node.stop(random.between(10, 3000));
        return () => {
          if (node.process === process) node.crash(false);
          node.start();
        };
      case "corruptState":
        node.crash(false);
        node.corruptState();
        return () => node.start();
      case "wipe":
      case "corrupt": {
        if (this.changedMembers || !this.#world.mayLose(node)) return null;
        const lastIndex = node.replica?.status().durableIndex ?? 0;
        // A witness lost with the power proves nothing, and what no witness saw was never promised: damage to either
        // of them cannot be noticed, so that the process is killed here and the machine keeps its power.
        node.crash(fault.type === "wipe", true);
        if (fault.type === "wipe") node.wipe();
        else node.corrupt(lastIndex);
        return () => node.start();
      }
      case "pause":
        process.pause();
        return () => process.resume(random.chance(0.5));
      case "suspend":
        process.pause();
        clock.freeze();
        return () => {
          clock.thaw();
          process.resume(random.chance(0.5));
        };
      case "freezeClock":
        clock.freeze();
        return () => clock.thaw();
      case "jumpClock":
        clock.jump(fault.jumpMs);
        return () => {};
      case "drift":
        clock.setRate(fault.rate);
        return () => {};
      case "diskStall":
        disk.stall();
        return () => disk.resume();
      case "diskSlow":
        disk.slowness = fault.factor;
        return () => disk.slowness = 1;
      case "diskError":
        node.mayEnd = true;
        disk.failNextCommit();
        return () => {
          if (node.running) node.crash(false);
          node.mayEnd = false;
          node.start();
        };
      case "diskFull":
        disk.full = true;
        return () => disk.full = false;
      case "slow": {
        const before = process.turnMs;
        process.turnMs = fault.turnMs;
        return () => process.turnMs = before;
      }
    }
  }

  #cut(
    side: readonly string[],
    others: readonly string[],
    oneWay: "out" | "in" | undefined,
    random: RandomSource,
  ): Undo {
    const { network } = this.#world;
    // Some cuts are noticed by the links' own pings, some last on as silence.
    const noticed = random.chance(0.6);
    const ways: [string, string][] = [];
    for (const a of side) {
      for (const b of others) {
        if (oneWay !== "in") ways.push([a, b]);
        if (oneWay !== "out") ways.push([b, a]);
      }
    }
    for (const [from, to] of ways) network.block(from, to, noticed ? random.between(500, 3000) : null);
    return () => {
      for (const [from, to] of ways) network.unblock(from, to);
    };
  }

  #lieInWait(fault: Ambush, random: RandomSource): Undo {
    const { network, nodes, timeline } = this.#world;
    let undo: Undo | null = null;
    let over = false;
    const strike = (node: SimulatedNode<Query, Answer>) => {
      if (over || undo !== null || node.process === null) return;
      const { process } = node;
      if (fault.action === "crash") {
        node.crash(true);
        undo = () => node.start();
      } else if (fault.action === "pause") {
        process.pause();
        undo = () => process.resume(random.chance(0.5));
      } else {
        undo = this.#cut(
          [node.name],
          nodes.map(({ name }) => name).filter((name) => name !== node.name),
          undefined,
          random,
        );
      }
    };
    const named = fault.node === "any" ? null : this.#node(fault.node, random)?.name ?? null;
    const lurk = (from: string, message: PeerMessage) => {
      if (undo !== null || (named !== null && named !== from) || !takesStep(fault.on, message)) {
        return;
      }
      const node = nodes.find(({ name }) => name === from);
      if (node === undefined) return;
      network.onSend.delete(lurk);
      // In the middle of its turn, or while its disk is still at it.
      if (random.chance(0.5)) strike(node);
      else timeline.after(random.between(0, 4), () => strike(node));
    };
    network.onSend.add(lurk);
    return () => {
      over = true;
      network.onSend.delete(lurk);
      undo?.();
    };
  }

  #flap(fault: Extract<Fault, { type: "flap" }>, random: RandomSource): Undo | null {
    const { network, timeline } = this.#world;
    const a = this.#node(fault.a, random)?.name;
    const b = this.#node(fault.b, random)?.name;
    if (a === undefined || b === undefined || a === b) return null;
    let cut = false;
    let over = false;
    const toggle = () => {
      if (over) return;
      cut = !cut;
      for (const [from, to] of [[a, b], [b, a]] as const) {
        if (cut) network.block(from, to, random.chance(0.3) ? 1 : null);
        else network.unblock(from, to);
      }
      timeline.after(fault.periodMs * random.between(0.3, 1), toggle);
    };
    toggle();
    return () => {
      if (cut) toggle();
      over = true;
    };
  }

  #node(target: Target, random: RandomSource): SimulatedNode<Query, Answer> | undefined {
    const { nodes } = this.#world;
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
}

function takesStep(step: Ambush["on"], message: PeerMessage): boolean {
  switch (step) {
    case "vote":
      return message.type === "RequestVoteReply" && message.granted && !message.preVote;
    case "campaign":
      return message.type === "RequestVote" && !message.preVote;
    case "lead":
      return message.type === "AppendEntries" && message.entries[0]?.term === message.term &&
        message.prevLogTerm < message.term;
    case "acknowledge":
      return message.type === "AppendEntriesReply" && message.success;
  }
}
