// A node of the world: a disk that outlives its processes, and the process of a whole replica on it, wired as the real
// one is. It is started, killed, stopped and wiped from outside.
import { crc32 } from "../bytes/mod.ts";
import { openAppliedState } from "../replica/applied-state.ts";
import { openDurableLog } from "../replica/durable-log.ts";
import { claimIdentity, type LocalIdentity } from "../replica/identity.ts";
import { decodeHardState, unseal } from "../replica/log-codec.ts";
import type { MembershipSettings, RaftLimits, ReplicaLimits } from "../replica/options.ts";
import type { LogBatch, StateMachineFactory } from "../replica/ports.ts";
import { Replica } from "../replica/replica.ts";
import { type DiskProfile, SimulatedDisk } from "./disk.ts";
import { placeOfRow } from "./durable-row.ts";
import type { Invariants } from "./invariants.ts";
import type { LedgerEntry } from "./ledger.ts";
import { Holds, type Release } from "./holds.ts";
import { firstAddressOf, type Network } from "./network.ts";
import { SimulatedProcess } from "./process.ts";
import type { RandomSource } from "./random.ts";
import type { Timing } from "./settings.ts";
import { NodeClock, type Timeline } from "./time.ts";
import type { Trace } from "./trace.ts";

/** What all nodes of a world share. */
export type Surroundings<Query, Answer> = {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly trace: Trace;
  readonly invariants: Invariants;
  readonly machine: StateMachineFactory<Query, Answer>;
  /** Who is to form the cluster at its first start. */
  readonly founders: readonly string[];
  /** The members may change: nodes join, and who loses its disk enters again as another replica. */
  readonly changing: boolean;
  /** Whom a node that lost its disk is told to ask; null = the list of founders will do. */
  readonly whereToJoin: (node: string) => readonly string[] | null;
  /** Hash of the applied state by index, as the first replica that was there had it. */
  readonly stateHashes: Map<number, string>;
  readonly oracle: (entry: LedgerEntry) => string | null;
  readonly settings: {
    readonly timingOf: (node: string) => Timing;
    readonly raft: RaftLimits;
    readonly limits: Partial<ReplicaLimits>;
  };
};

export type NodeSettings = { readonly profile: DiskProfile; readonly clockRate: number };

export class SimulatedNode<Query, Answer> {
  readonly name: string;
  readonly clock: NodeClock;
  readonly disk: SimulatedDisk;
  process: SimulatedProcess | null = null;
  replica: Replica<Query, Answer> | null = null;
  identity: LocalIdentity | null = null;
  /** It cannot come back as who it was: wiped, or its log was found corrupt. */
  lost = false;
  /** How its disk was damaged: from then on it must refuse every start. */
  damage: string | null = null;
  /** Its applied state was damaged and is still in use. */
  stateDamaged = false;
  starts = 0;
  /** It has nothing to form a cluster with and asks these nodes to be let in; null = it is a founder. */
  joins: readonly string[] | null;
  role: "voter" | "learner" = "voter";
  /** What the state of the present process reflects. */
  appliedIndex = 0;
  /** Why it is not to run just now; it starts when the last of these ends. */
  readonly #down = new Holds<true>((held) => held.length === 0 && this.start());
  /** Faults for which its process may rightly end. */
  readonly #mayEnd = new Holds<true>();
  /** Further addresses that people told it, besides those of the founders or of whom it was to ask. */
  readonly #told = new Set<string>();
  #dial: (url: string) => void = () => {};
  readonly #world: Surroundings<Query, Answer>;
  readonly #random: RandomSource;

  constructor(
    name: string,
    world: Surroundings<Query, Answer>,
    random: RandomSource,
    { profile, clockRate }: NodeSettings,
  ) {
    this.name = name;
    this.#world = world;
    this.#random = random;
    this.joins = world.founders.includes(name) ? null : [];
    const { timeline } = world;
    this.clock = new NodeClock(timeline, clockRate, random.between(1, 1e6), random.between(-5000, 5000));
    this.disk = new SimulatedDisk(timeline, random.fork("disk"), profile, (batch) => this.#durable(batch));
  }

  get running(): boolean {
    return this.process !== null;
  }

  /** It is not started until the release; a process that is there runs on. */
  keepDown(): Release {
    return this.#down.hold(true);
  }

  /** Until the release its process may end by itself. */
  allowEnd(): Release {
    return this.#mayEnd.hold(true);
  }

  /** Nothing happens where it runs, or is kept down. */
  start(): void {
    if (this.process !== null || this.#down.any) return;
    const { timeline, trace } = this.#world;
    this.starts++;
    const process: SimulatedProcess = new SimulatedProcess(
      this.name,
      timeline,
      this.clock,
      (error) => this.#uncaught(process, error),
    );
    process.onBusy = (turns) =>
      this.#world.invariants.fail(
        "Busy loop",
        `${this.name} did ${turns} turns that nothing but the one before asked for`,
      );
    this.process = process;
    trace.line(`${this.name} starts`);
    process.turn(() => this.#boot(process));
  }

  /** The process is gone at once; with `power`, so is what was never fsynced. `clean`: so is every commit under way. */
  crash(power: boolean, clean = false): void {
    const process = this.process;
    if (process === null) return;
    this.#world.trace.line(`${this.name} ${power ? "loses its power" : "is killed"}`);
    this.#gone(process);
    this.disk.crash(power, clean);
  }

  #gone(process: SimulatedProcess): void {
    this.process = null;
    this.replica = null;
    this.identity = null;
    this.#world.invariants.cores.ended(this.name);
    // A killed process resets its connections; a machine without power says nothing.
    const notice = this.#random.chance(0.7) ? this.#random.between(0.5, 20) : this.#random.between(300, 3000);
    this.#world.network.detach(this.name, notice);
    this.#dial = () => {};
    process.end();
  }

  /** People tell it where another is. */
  tell(address: string): void {
    this.#told.add(address);
    this.#dial(address);
  }

  /** It comes back with an empty disk. Only while it is down. */
  wipe(): void {
    this.disk.wipe();
    this.lost = !this.#world.changing;
    this.damage = null;
    this.stateDamaged = false;
    this.#world.invariants.wiped(this.name);
    this.joins ??= this.#world.whereToJoin(this.name);
    this.#world.trace.line(`${this.name} has an empty disk`);
  }

  /** Damages its log. Only while it is down. */
  corrupt(lastIndex: number): void {
    const damage = this.disk.corruptLog(lastIndex);
    if (damage === null) return;
    this.damage = damage;
    this.lost = true;
    // Its operator will put the folder aside: nobody will be this replica any more.
    if (this.#world.changing) this.#world.invariants.wiped(this.name);
    this.#world.trace.line(`${this.name}: ${damage}`);
  }

  /** Damages its applied state. Only while it is down. It may notice at any later read, and ends then. */
  corruptState(): void {
    if (!this.disk.corruptState()) return;
    this.stateDamaged = true;
    this.#world.trace.line(`${this.name}: its applied state is damaged`);
  }

  /** What its operator does about that: the state goes, and is made again from the log. */
  mendState(): void {
    if (!this.stateDamaged) return;
    this.crash(false);
    this.disk.wipeState();
    this.stateDamaged = false;
    this.#world.trace.line(`${this.name}: its applied state is put aside`);
  }

  /** It is asked to end in good order, and is gone by `timeoutMs`. */
  stop(timeoutMs: number): void {
    const { process, replica } = this;
    if (process === null || replica === null) return this.crash(false);
    this.#world.trace.line(`${this.name} is asked to stop`);
    const end = () => {
      if (process.alive) this.crash(false);
    };
    process.turn(() => void replica.stop(timeoutMs).then(end));
    this.#world.timeline.after(timeoutMs * 2 + 1000, end);
  }

  #boot(process: SimulatedProcess): void {
    const random = this.#random;
    const fatal = (message: string) => this.#fatal(process, message);
    const { table, witness, store, space } = this.disk.open(process);
    const opened = openDurableLog({ table, witness, fatal });
    if (!opened.ok) return this.#refuses(process, opened.corruption.reason);
    claimIdentity({ durableLog: opened.log, id: this.name, random: random.next }, (claim) => {
      if (!process.alive) return;
      if (!claim.ok) return this.#fatal(process, claim.message);
      const state = openAppliedState({ store, fatal });
      if (!state.ok) return this.#refuses(process, state.corruption.reason);
      const { identity } = claim;
      this.identity = identity;
      const { network, trace, machine, founders, settings, invariants } = this.#world;
      invariants.boots(this.name, identity);
      const links = network.linksOf({
        name: this.name,
        identity: () => identity.peerIdentity(network.addressOf(this.name), "simulated"),
        admit: (peer) => identity.admit(peer).ok,
        turn: (task) => process.turn(task),
      });
      const replica = new Replica<Query, Answer>({
        identity,
        durableLog: opened.log,
        state: state.state,
        machine,
        links,
        expected: this.joins === null ? founders : [],
        ...this.#membership(),
        clock: this.clock,
        scheduler: process.scheduler,
        random: random.next,
        space,
        log: (level, message, fields) => {
          if (trace.on) {
            trace.line(`${this.name} ${level}: ${message}${fields ? ` ${JSON.stringify(fields)}` : ""}`);
          }
        },
        fatal,
        onCore: (core) => process.onTurn = () => invariants.cores.turned(this.name, core),
        ...settings.timingOf(this.name),
        raft: settings.raft,
        limits: settings.limits,
      });
      this.replica = replica;
      this.appliedIndex = state.state.applied().appliedIndex;
      const boot = `${this.name} ${this.starts}`;
      replica.subscribe((step) => {
        this.#world.invariants.applied(this.name, step, this.#world.oracle);
        this.appliedIndex = step.index;
        this.#compareState(step.index, state.state.hash());
        if (trace.on) trace.line(`${this.name} applies ${step.index}/${step.term} ${step.type}`);
      });
      replica.start();
      // Whoever is to join is told where the others are now; a list of founders says where they were.
      for (const name of founders) if (this.joins === null) links.dial(firstAddressOf(name));
      for (const name of this.joins ?? []) links.dial(network.addressOf(name));
      for (const url of this.#told) links.dial(url);
      this.#dial = (url) => links.dial(url);
      if (this.damage !== null) {
        this.#world.invariants.fail("Corruption", `${boot} runs although ${this.damage}`);
      }
    });
  }

  #membership(): { readonly membership?: MembershipSettings } {
    if (!this.#world.changing) return {};
    const about = () => ({
      url: this.#world.network.addressOf(this.name),
      region: "",
      software: "simulated",
    });
    return { membership: { join: this.joins !== null, role: this.role, about } };
  }

  #compareState(index: number, hash: string): void {
    const { stateHashes, invariants } = this.#world;
    const known = stateHashes.get(index);
    if (known === undefined) stateHashes.set(index, hash);
    else if (known !== hash) {
      invariants.fail(
        "State Machine Safety",
        `${this.name} has state ${hash} at ${index}, another has ${known}`,
      );
    }
  }

  #durable(batch: LogBatch): void {
    const sealed = batch.meta.find(([name]) => name === "hardState")?.[1];
    const hardState = sealed === undefined ? null : decodeHardState(unseal("hardState", sealed, crc32));
    this.#world.invariants.durable(this.name, batch.cutFrom, batch.rows.map(placeOfRow), hardState);
  }

  #refuses(process: SimulatedProcess, reason: string): void {
    this.#world.trace.line(`${this.name} refuses to start: ${reason}`);
    if (this.damage === null && !this.stateDamaged) {
      this.#world.invariants.fail("Start", `${this.name} refuses to start: ${reason}`);
    }
    const entersAnew = this.damage !== null && this.#world.changing;
    this.#ended(process);
    if (!entersAnew) return;
    this.wipe();
    this.#world.timeline.after(500, () => this.start());
  }

  #fatal(process: SimulatedProcess, message: string): void {
    if (!process.alive) return;
    this.#world.trace.line(`${this.name} ends: ${message}`);
    if (!this.#mayEnd.any && this.damage === null && !this.stateDamaged) {
      this.#world.invariants.fail("Fatal", `${this.name}: ${message}`);
    }
    this.#ended(process);
  }

  #ended(process: SimulatedProcess): void {
    this.#gone(process);
    this.disk.crash(false);
    if (this.stateDamaged) {
      this.mendState();
      this.#world.timeline.after(1000, () => this.start());
    }
  }

  #uncaught(process: SimulatedProcess, error: unknown): void {
    // What a dead process still throws (its poisoned parts) concerns nobody.
    if (!process.alive) return;
    const message = error instanceof Error ? `${error.message}\n${error.stack ?? ""}` : String(error);
    this.#world.invariants.fail("Exception", `${this.name}: ${message}`);
    this.#gone(process);
    this.disk.crash(false);
  }
}
