// One run of the world, all of it from one seed: a cluster under faults while clients work on it, then a healed core that
// must make progress, then everything that was seen is judged.
import { Clients } from "./clients.ts";
import { brokenCost } from "./cost.ts";
import { Demand } from "./demand.ts";
import { drawDiskProfile } from "./disk.ts";
import { expectInTime } from "./expectations.ts";
import type { Fault } from "./faults.ts";
import { Invariants, type Violation } from "./invariants.ts";
import { judge, type Judgement } from "./judge.ts";
import { Ledger, type LedgerEntry } from "./ledger.ts";
import { leaderOf } from "./leader.ts";
import { Nemesis } from "./nemesis.ts";
import { Network } from "./network.ts";
import { SimulatedNode, type Surroundings } from "./node.ts";
import { Operators } from "./operators.ts";
import { planOf, unknownFault } from "./plan.ts";
import { type RandomSource, seededRandom } from "./random.ts";
import type { RunOptions, RunResult } from "./run.ts";
import { drawSettings, plainSettings } from "./settings.ts";
import { Timeline } from "./time.ts";
import { Trace } from "./trace.ts";
import { calm } from "./weather.ts";
import { taggedCommand, taggedMachine, tagOf, type Workload } from "./workload.ts";

/** After the heal the core has so long, in virtual ms. */
const demandMs = 30_000;
const sampleMs = 100;

export async function runWorld<Query, Answer, State, Input, Output>(
  workload: Workload<Query, Answer, State, Input, Output>,
  options: RunOptions,
): Promise<RunResult> {
  const world = new World(workload, options);
  await world.faultPhase();
  await world.healedPhase();
  return world.result();
}

class World<Query, Answer, State, Input, Output> {
  readonly #options: RunOptions;
  readonly #workload: Workload<Query, Answer, State, Input, Output>;
  readonly #random: RandomSource;
  readonly #timeline = new Timeline();
  readonly #trace: Trace;
  readonly #network: Network;
  readonly #ledger = new Ledger((command) => tagOf(command).operation);
  readonly #invariants: Invariants;
  readonly #nodes: SimulatedNode<Query, Answer>[] = [];
  readonly #clients: Clients<Query, Answer, State, Input, Output>;
  readonly #nemesis: Nemesis<Query, Answer>;
  readonly #schedule: readonly Fault[];
  readonly #durationMs: number;
  readonly #operators: Operators<Query, Answer> | null;
  readonly #formed = new Set<string>();
  #steps = 0;
  #recoveryMs: number | null = null;

  constructor(workload: Workload<Query, Answer, State, Input, Output>, options: RunOptions) {
    const { seed } = options;
    const plan = planOf(options);
    const { names, founders, durationMs } = plan;
    const unknown = unknownFault(plan, options.keepFaults ?? []);
    if (unknown !== undefined) throw new RangeError(`the schedule has no fault ${unknown}`);
    this.#options = options;
    this.#workload = workload;
    this.#durationMs = durationMs;
    const random = this.#random = seededRandom(seed);
    const timeline = this.#timeline;
    const trace = this.#trace = new Trace(timeline, options.trace ?? null);
    const settings = options.faults === undefined
      ? drawSettings(random.fork("settings"))
      : plainSettings(calm);
    const changing = founders !== null;
    const invariants = this.#invariants = new Invariants(this.#ledger);
    this.#network = new Network(
      timeline,
      random.fork("network"),
      trace,
      (from, message) => invariants.sent(from, message),
    );
    this.#network.weather = settings.weather;
    const oracle = workload.oracle?.() ?? null;
    const committed = (entry: LedgerEntry) =>
      oracle === null || entry.type !== "command"
        ? null
        : oracle.committed(entry.index, tagOf(entry.command).command, entry.result);
    const surroundings: Surroundings<Query, Answer> = {
      timeline,
      network: this.#network,
      trace,
      invariants,
      machine: taggedMachine(workload.machine),
      founders: names.slice(0, founders ?? names.length),
      changing,
      whereToJoin: (name) => this.#operators?.whereToJoin(name) ?? null,
      stateHashes: new Map(),
      oracle: committed,
      settings: {
        timingOf: settings.timingOf,
        raft: settings.raft,
        limits: settings.limits,
      },
    };
    this.#operators = changing ? new Operators({ timeline, trace, nodes: this.#nodes, invariants }) : null;
    for (const name of names) this.#addNode(name, surroundings);
    this.#clients = new Clients({
      timeline,
      trace,
      nodes: this.#nodes,
      workload,
      ledger: this.#ledger,
      invariants,
      oracle,
      random: random.fork("clients"),
      clients: settings.clients,
      thinkMs: settings.thinkMs,
      maxOperations: options.maxOperations ?? Infinity,
    });
    this.#schedule = plan.schedule;
    this.#nemesis = new Nemesis(
      {
        timeline,
        network: this.#network,
        trace,
        random: random.fork("nemesis"),
        nodes: this.#nodes,
        weather: settings.weather,
        setPressure: (factor) => this.#clients.pressure = factor,
        mayLose: (node) => this.#mayLose(node),
        operators: this.#operators,
      },
      this.#schedule,
      options.keepFaults === undefined ? null : new Set(options.keepFaults),
    );
    expectInTime(options, { timeline, ledger: this.#ledger, invariants, durationMs, nodes: this.#nodes });
    this.#sampleLater();
  }

  async faultPhase(): Promise<void> {
    await this.#runUntil(this.#durationMs, () => false);
  }

  /** Heals a core for good; the other nodes stay away. Then it has to make progress. */
  async healedPhase(): Promise<void> {
    if (this.#invariants.violation !== null) return;
    const timeline = this.#timeline;
    const healedAt = timeline.now;
    this.#nemesis.heal();
    this.#network.unblockAll();
    this.#network.weather = calm;
    const core = this.#drawCore();
    const names = core.map(({ name }) => name);
    this.#trace.line(`the world heals around ${names.join(", ")}`);
    this.#operators?.adviseAll(core);
    this.#nemesis.tellWhereabouts(core);
    for (const node of this.#nodes) {
      if (core.includes(node)) {
        node.mendState();
        node.start();
      } else {
        node.keepDown();
        node.crash(true);
      }
    }
    timeline.after(1000, () => this.#clients.stop());
    const probe = this.#workload.client("probe");
    const random = this.#random.fork("probe");
    let probes = 0;
    const demand = new Demand<Query, Answer>({
      timeline,
      core,
      electorate: this.#invariants.electorate,
      top: () => this.#ledger.top,
      command: () => {
        for (;;) {
          const operation = probe.next(random);
          if (operation.action.type !== "write") continue;
          const id = `probe.${++probes}`;
          this.#clients.foreign(id, operation);
          return taggedCommand(id, operation.action.command);
        }
      },
    });
    // Clients' last operations end within their timeouts: after them nothing new comes, and all must agree. What people
    // asked for before the heal may still be begun, and hand leadership over, until their patience ends.
    const quietAt = healedAt + 8000;
    const calmAt = healedAt + 6500;
    let fulfilledAt: number | null = null;
    let term: number | undefined;
    const termNow = () => leaderOf(core)?.replica?.status().term;
    await this.#runUntil(healedAt + demandMs, () => {
      if (demand.missing() !== null) fulfilledAt = null;
      else fulfilledAt ??= timeline.now;
      if (fulfilledAt !== null && timeline.now >= calmAt) term ??= termNow();
      return fulfilledAt !== null && timeline.now >= quietAt;
    });
    if (this.#invariants.violation !== null) return;
    const missing = demand.missing();
    if (missing !== null) {
      return this.#invariants.fail("Liveness", `${demandMs} ms after the heal: ${missing}`);
    }
    this.#recoveryMs = (fulfilledAt ?? timeline.now) - healedAt;
    if (this.#operators !== null && termNow() !== term) {
      this.#invariants.fail("Calm", `term ${term} became ${termNow()}, though nothing happened any more`);
    }
    this.#compareStates(demand.serving());
  }

  result(): RunResult {
    const { options } = { options: this.#options };
    this.#clients.checkRefusals();
    this.#checkCost();
    const judgement: Judgement = this.#invariants.violation === null
      ? judge(this.#workload.model, this.#clients.history, this.#ledger)
      : { violation: null, explanation: null };
    const { done, unknown, refused, reads, staleReads } = this.#clients.counts;
    const violation = this.#invariants.violation ?? judgement.violation ?? this.#missed();
    if (violation !== null) this.#trace.line(`VIOLATION ${violation.invariant}: ${violation.detail}`);
    return {
      options,
      violation,
      explanation: judgement.explanation,
      schedule: this.#schedule,
      faults: this.#nemesis.struck,
      operations: this.#clients.started,
      done,
      unknown,
      refused,
      reads: reads + staleReads,
      committed: this.#ledger.top,
      leaders: this.#invariants.elections.count,
      messages: this.#network.counts.sent,
      entryMessages: this.#invariants.entryMessages,
      steps: this.#steps,
      simulatedMs: this.#timeline.now,
      recoveryMs: this.#recoveryMs,
    };
  }

  /** Faults that somebody chose and that had nothing to strike: what they were to show was not tested. */
  #missed(): Violation | null {
    const missed = this.#options.faults === undefined ? undefined : this.#nemesis.missed()[0];
    if (missed === undefined) return null;
    return { invariant: "Scenario", detail: `${missed}: it did not strike` };
  }

  #addNode(name: string, surroundings: Surroundings<Query, Answer>): void {
    const random = this.#random.fork(name);
    const plain = this.#options.faults !== undefined;
    const profile = plain
      ? { synchronous: false, minCommitMs: 0.2, meanCommitMs: 0.5 }
      : drawDiskProfile(random.fork("profile"));
    const clockRate = plain ? 1 : random.fork("clock").between(0.97, 1.03);
    const node = new SimulatedNode(name, surroundings, random, { profile, clockRate });
    this.#nodes.push(node);
    const late = surroundings.changing && !plain && random.fork("late").chance(0.15);
    if (node.joins === null) this.#timeline.after(random.between(0, late ? 5000 : 300), () => node.start());
  }

  /** Runs the world until a time, a violation, or until `enough` says so. Promises settle between any two events. */
  async #runUntil(until: number, enough: () => boolean): Promise<void> {
    const timeline = this.#timeline;
    const invariants = this.#invariants;
    let checkAt = timeline.now + sampleMs;
    while (invariants.violation === null && timeline.next() <= until) {
      timeline.step();
      this.#steps++;
      await null;
      await null;
      await null;
      if (timeline.now >= checkAt) {
        checkAt = timeline.now + sampleMs;
        if (enough()) return;
      }
    }
  }

  #sampleLater(): void {
    this.#timeline.after(sampleMs, () => {
      for (const { name, replica, starts } of this.#nodes) {
        if (replica === null) continue;
        const status = replica.status();
        this.#invariants.status(name, `${name} ${starts}`, status);
        if (status.phase === "running") this.#formed.add(name);
      }
      this.#invariants.cores.together();
      this.#sampleLater();
    });
  }

  /** A node may be lost for good only once the cluster exists, and as long as a majority remains. */
  #mayLose(node: SimulatedNode<Query, Answer>): boolean {
    if (this.#operators !== null) return this.#operators.mayLose([node]);
    if (node.lost || this.#formed.size < this.#nodes.length) return false;
    const lost = this.#nodes.filter((other) => other.lost).length;
    return lost + 1 <= Math.floor((this.#nodes.length - 1) / 2);
  }

  /** Sometimes everybody who can come back, sometimes a bare majority. A cluster that has not formed needs everybody. */
  #drawCore(): SimulatedNode<Query, Answer>[] {
    const random = this.#random.fork("core");
    const operators = this.#operators;
    if (operators !== null) {
      // Who was told to start or to join, and has not yet, is on its way.
      const started = this.#nodes.filter(({ starts, joins }) =>
        starts > 0 || joins === null || joins.length > 0
      );
      const away = random.shuffle(started).slice(0, random.chance(0.6) ? 0 : random.integer(1, 3));
      const enough = this.#ledger.top > 0 && operators.mayLose(away);
      return enough ? started.filter((node) => !away.includes(node)) : started;
    }
    const able = this.#nodes.filter(({ lost }) => !lost);
    const majority = Math.floor(this.#nodes.length / 2) + 1;
    const all = this.#formed.size < this.#nodes.length || this.#nemesis.changedMembers || random.chance(0.6);
    return all ? able : random.shuffle(able).slice(0, random.integer(majority, able.length + 1));
  }

  #checkCost(): void {
    const { entryMessages, entriesSent, elections, wipes } = this.#invariants;
    if (this.#operators !== null && this.#operators.joined + wipes > 0) return;
    const complaint = brokenCost({
      ...{ entryMessages, entriesSent },
      committed: this.#ledger.top,
      leaders: elections.count,
      followers: this.#nodes.length - 1,
    });
    if (complaint !== null) this.#invariants.fail("Cost", complaint);
  }

  /** Row by row: nodes that applied the same hold the same. */
  #compareStates(core: readonly SimulatedNode<Query, Answer>[]): void {
    let first: { readonly name: string; readonly text: string } | null = null;
    for (const { name, disk } of core) {
      const text = [...disk.stateRows()].map(([key, value]) => `${key.toHex()}=${value.toHex()}`).join("\n");
      first ??= { name, text };
      if (text !== first.text) {
        this.#invariants.fail(
          "State Machine Safety",
          `${name} and ${first.name} hold different rows in the end`,
        );
      }
    }
  }
}
