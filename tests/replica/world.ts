// Replicas in one process under virtual time: real core, real logs over disks in memory, links in memory. Nodes can be
// killed, wiped, paused (timers fire before what waits in the sockets) and cut off.
import { MemoryDisk, type MemoryDiskOptions } from "../../lib/memory/mod.ts";
import { MemoryNetwork } from "../../lib/memory/network.ts";
import { openAppliedState } from "../../lib/replica/applied-state.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { claimIdentity } from "../../lib/replica/identity.ts";
import type { SetAside } from "../../lib/replica/node-record.ts";
import type { ReplicaOptions } from "../../lib/replica/options.ts";
import type { Links, StateMachineFactory } from "../../lib/replica/ports.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import { idOf } from "../../lib/raft/mod.ts";
import { Replica } from "../../lib/replica/replica.ts";
import { NodeClock, Timeline } from "../../lib/simulation/time.ts";
import { printedSeed, seededRandom } from "../support/random.ts";

export type WorldOptions<Query, Answer> = {
  readonly ids: readonly string[];
  readonly machine: StateMachineFactory<Query, Answer>;
  /** 0 = a log that is durable before append returns, as with SQLite. */
  readonly fsyncMs?: number;
  /** What each node was told; default all of `ids`. */
  readonly expected?: (id: string) => readonly string[];
  readonly limits?: ReplicaOptions["limits"];
  readonly membership?: (id: string) => NonNullable<ReplicaOptions["membership"]>;
};

export class World<Query, Answer> {
  readonly timeline: Timeline = new Timeline();
  readonly network: MemoryNetwork;
  /** What every message takes besides, ms. */
  lagMs = 0;
  readonly nodes: ReadonlyMap<string, TestNode<Query, Answer>>;
  readonly random: () => number;
  readonly options: WorldOptions<Query, Answer>;

  constructor(options: WorldOptions<Query, Answer>) {
    this.options = options;
    this.random = seededRandom(printedSeed("replica"));
    const latencyMs = () => this.lagMs + 0.5 + this.random();
    this.network = new MemoryNetwork({ scheduler: this.timeline, latencyMs });
    this.nodes = new Map(options.ids.map((id) => [id, new TestNode(id, this)]));
  }

  node(id: string): TestNode<Query, Answer> {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  startAll(): void {
    for (const node of this.nodes.values()) node.start();
  }

  /** Lets virtual time pass, promises included. */
  async run(ms: number): Promise<void> {
    const end = this.timeline.now + ms;
    while (this.timeline.next() <= end) {
      this.timeline.step();
      await null;
    }
    this.timeline.at(end, () => {});
    this.timeline.step();
    await null;
  }

  /** Fails after `ms` of virtual time. */
  async until(what: string, condition: () => boolean, ms = 5000): Promise<void> {
    const end = this.timeline.now + ms;
    while (!condition()) {
      if (this.timeline.next() > end || !this.timeline.step()) {
        throw new Error(`not within ${ms} ms: ${what}`);
      }
      await null;
    }
  }

  async settle<T>(promise: Promise<T>, ms = 10_000): Promise<T> {
    const settled: { value?: T; error?: unknown; done: boolean } = { done: false };
    promise.then(
      (value) => Object.assign(settled, { value, done: true }),
      (error) => Object.assign(settled, { error, done: true }),
    );
    for (let turn = 0; turn < 8; turn++) await null;
    await this.until("a promise settles", () => settled.done, ms);
    if ("error" in settled) throw settled.error;
    return settled.value as T;
  }

  leader(): TestNode<Query, Answer> | undefined {
    return [...this.nodes.values()].filter((node) => node.running)
      .filter((node) => node.replica.status().role === "leader")
      .sort((a, b) => b.replica.status().term - a.replica.status().term)[0];
  }

  /** A leader that everybody running knows and that is ready. */
  async elected(): Promise<TestNode<Query, Answer>> {
    await this.until("a leader", () => {
      const leader = this.leader();
      return leader !== undefined && leader.replica.status().ready &&
        [...this.nodes.values()].every((node) =>
          !node.running || node.replica.status().leaderId === leader.replica.status().replica
        );
    });
    const leader = this.leader();
    if (leader === undefined) throw new Error("the leader is gone");
    return leader;
  }

  followers(): TestNode<Query, Answer>[] {
    const leader = this.leader();
    return [...this.nodes.values()].filter((node) => node.running && node !== leader);
  }

  isolate(id: string, options?: { silent: boolean }): void {
    for (const other of this.nodes.keys()) if (other !== id) this.network.cut(id, other, options);
  }
}

type Process = {
  alive: boolean;
  paused: boolean;
  readonly timers: (() => void)[];
  readonly messages: (() => void)[];
};

export class TestNode<Query, Answer> {
  readonly id: string;
  readonly clock: NodeClock;
  readonly log: string[] = [];
  /** Why it ended; null = it did not. */
  fatal: string | null = null;
  disk: MemoryDisk;
  /** What a new log is told of the one in whose place it is. */
  setAside: SetAside | null = null;
  /** Turns that it asked for itself, since it was made. */
  deferred = 0;
  /** Messages of the links, newest last: for tests that look at what was said. */
  readonly sent: PeerMessage[] = [];
  /** Refuses to carry a message: returns true to drop it silently. */
  drop: (message: PeerMessage) => boolean = () => false;
  readonly #world: World<Query, Answer>;
  #process: Process | null = null;
  #links: Links | null = null;
  #replica: Replica<Query, Answer> | null = null;

  constructor(id: string, world: World<Query, Answer>) {
    this.id = id;
    this.#world = world;
    this.clock = new NodeClock(world.timeline, 1, 1000 + world.random() * 1000, 0);
    this.disk = this.#newDisk();
  }

  get running(): boolean {
    return this.#replica !== null;
  }

  get replica(): Replica<Query, Answer> {
    if (this.#replica === null) throw new Error(`${this.id} does not run`);
    return this.#replica;
  }

  start(): void {
    const { timeline, network, options, random } = this.#world;
    const process: Process = { alive: true, paused: false, timers: [], messages: [] };
    this.#process = process;
    const gate = (task: () => void) => () => {
      if (!process.alive) return;
      if (process.paused) process.timers.push(task);
      else task();
    };
    const opened = openDurableLog({ table: this.disk.openLog(), witness: this.disk.openWitness() });
    if (!opened.ok) throw new Error(opened.corruption.reason);
    const state = openAppliedState({ store: this.disk.openState() });
    if (!state.ok) throw new Error(state.corruption.reason);
    const { setAside } = this;
    claimIdentity({ durableLog: opened.log, id: this.id, random, setAside }, (claim) => {
      if (!process.alive) return;
      if (!claim.ok) throw new Error(claim.message);
      const links = this.#gated(
        process,
        network.attach({
          identity: () => claim.identity.peerIdentity(`memory:${this.id}`, "test"),
          admit: (peer) => claim.identity.admit(peer),
        }),
      );
      this.#links = links;
      this.#replica = new Replica({
        identity: claim.identity,
        durableLog: opened.log,
        state: state.state,
        machine: options.machine,
        links,
        expected: options.expected?.(this.id) ?? options.ids,
        clock: this.clock,
        scheduler: {
          after: (ms, task) => timeline.after(ms, gate(task)),
          defer: (task) => {
            this.deferred++;
            // Without time between them, turns that only ask for the next one would never let the world go on.
            timeline.after(0.02, gate(task));
          },
        },
        random,
        space: this.disk.space,
        log: (level, message) => this.log.push(`${level} ${message}`),
        fatal: (message) => this.fatal = message,
        heartbeatMs: 50,
        electionMs: 250,
        ...(options.limits === undefined ? {} : { limits: options.limits }),
        ...(options.membership === undefined ? {} : { membership: options.membership(this.id) }),
      });
      this.#replica.start();
    });
  }

  /** kill -9: nobody hears anything more of it, its links close, what was not durable is lost. */
  kill(): void {
    if (this.#process !== null) this.#process.alive = false;
    this.#process = null;
    this.#replica = null;
    this.#links?.close();
    this.#links = null;
    this.disk.crash();
  }

  /** Sends a message of its making, as if the replica had: for what a test held back. */
  say(to: string, message: PeerMessage): void {
    const peer = this.#links?.connected().find(({ replica }) => idOf(replica) === to);
    if (peer === undefined || this.#links?.send(peer.replica, message, "bulk") !== true) {
      throw new Error(`${this.id} has no link to ${to}`);
    }
  }

  /** Its data folder is lost; only while it does not run. */
  wipe(): void {
    this.disk = this.#newDisk();
  }

  /** SIGSTOP. */
  pause(): void {
    if (this.#process !== null) this.#process.paused = true;
  }

  /** SIGCONT: first the timers that are due, then, a turn later, what waits in the sockets. */
  resume(): void {
    const process = this.#process;
    if (process === null) return;
    process.paused = false;
    for (const timer of process.timers.splice(0)) timer();
    this.#world.timeline.after(0, () => {
      for (const message of process.messages.splice(0)) if (process.alive) message();
    });
  }

  #gated(process: Process, links: Links): Links {
    const gate = (task: () => void) => {
      if (!process.alive) return;
      if (process.paused) process.messages.push(task);
      else task();
    };
    return {
      send: (to, message, channel) => {
        if (!process.alive) return false;
        this.sent.push(message);
        return this.drop(message) || links.send(to, message, channel);
      },
      dial: (url) => links.dial(url),
      connected: () => links.connected(),
      close: () => links.close(),
      listen: (listener) =>
        links.listen({
          message: (from, message) => gate(() => listener.message(from, message)),
          up: (peer) => gate(() => listener.up(peer)),
          down: (peer) => gate(() => listener.down(peer)),
        }),
    };
  }

  #newDisk(): MemoryDisk {
    const { fsyncMs = 0 } = this.#world.options;
    const complete: MemoryDiskOptions["complete"] = (_file, run) => {
      if (fsyncMs === 0) run();
      else this.#world.timeline.after(fsyncMs, run);
    };
    return new MemoryDisk({ complete });
  }
}
