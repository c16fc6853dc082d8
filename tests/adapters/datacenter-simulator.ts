// A simulator of the course protocol: starts real replicas, carries their datagrams and those of clients over one UDP
// socket, drops, partitions, kills, counts, and judges as the protocol says.
import type { Subprocess } from "bun";
import { cleanEnvironment, coracleCommand } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { seededRandom } from "../support/random.ts";
import { clientIds, Clients, type Message } from "./datacenter-clients.ts";
import {
  anybody,
  idPattern,
  judge,
  maxDatagram,
  maxMessages,
  replicaIds,
  type Report,
} from "./datacenter-judge.ts";
import type { EventType, Scenario } from "./datacenter-scenarios.ts";

export type RunOptions = {
  readonly seed: number;
  /** Start to end, ms; default 30,000. */
  readonly lifetimeMs?: number;
  /** Before the first request, and after the last, ms; default 5,000 and 2,000. */
  readonly startWaitMs?: number;
  readonly endWaitMs?: number;
  /** Default: the scenario's. */
  readonly requests?: number;
  /** Clients begin, and faults, once everybody has said hello: for machines that are slow to start processes. Default false. */
  readonly patient?: boolean;
};

type Replica = {
  readonly id: string;
  readonly process: Subprocess<"ignore", "pipe", "pipe">;
  port: number | null;
  alive: boolean;
  killed: boolean;
};

/** A timer that is later than this was kept from running, ms. */
const maxLateMs = 10;

const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export async function runScenario(scenario: Scenario, options: RunOptions): Promise<Report> {
  const simulation = new Simulation(scenario, options);
  try {
    await simulation.run();
    return await simulation.finish();
  } finally {
    simulation.close();
  }
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #options: Required<RunOptions>;
  readonly #random: () => number;
  readonly #clients: Clients;
  readonly #replicas = new Map<string, Replica>();
  readonly #errors: string[] = [];
  readonly #leaders: string[] = [];
  readonly #byType: Record<string, number> = {};
  #socket: Bun.udp.Socket<"buffer"> | null = null;
  #leader = anybody;
  #majority: ReadonlySet<string> | null = null;
  #messages = 0;
  #dropped = 0;
  #inDeadHands = 0;

  constructor(scenario: Scenario, options: RunOptions) {
    this.#scenario = scenario;
    this.#options = {
      ...{
        lifetimeMs: 30_000,
        startWaitMs: 5_000,
        endWaitMs: 2_000,
        requests: scenario.requests,
        patient: false,
      },
      ...options,
    };
    this.#random = seededRandom(options.seed);
    this.#clients = new Clients({
      random: this.#random,
      forgetful: scenario.forgetful ?? false,
      living: () => this.#living(),
      send: (message) => this.#deliver(String(message["dst"]), JSON.stringify(message)),
    });
  }

  async run(): Promise<void> {
    this.#socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (_socket, bytes, port) => this.#route(bytes, port),
        error: () => {},
      },
    });
    for (const id of replicaIds) this.#start(id, this.#socket.port);
    const { lifetimeMs, startWaitMs, endWaitMs, requests } = this.#options;
    const loadMs = lifetimeMs - startWaitMs - endWaitMs;
    const due: { readonly at: number; readonly act: () => void }[] = [
      ...Array.from({ length: requests }, (_, nth) => ({
        at: startWaitMs + nth * loadMs / requests,
        act: () => this.#clients.ask(performance.now()),
      })),
      ...this.#scenario.events.map(([share, type]) => ({
        at: startWaitMs + share * loadMs,
        act: () => this.#event(type),
      })),
    ].sort((a, b) => a.at - b.at);
    if (this.#options.patient) {
      await eventually(() => [...this.#replicas.values()].every(({ port }) => port !== null), {
        deadlineMs: 20_000,
        what: "all replicas have said hello",
      });
    }
    let began = performance.now();
    for (const { at, act } of due) {
      await Bun.sleep(Math.max(0, began + at - performance.now()));
      // When the machine let this process wait, what is due comes later, not all at once.
      const lateMs = performance.now() - began - at;
      if (lateMs > maxLateMs) began += lateMs;
      if (this.#messages > maxMessages) return;
      act();
    }
    await Bun.sleep(Math.max(0, began + lifetimeMs - performance.now()));
  }

  async finish(): Promise<Report> {
    for (const replica of this.#replicas.values()) {
      if (!replica.killed && replica.process.exitCode !== null) this.#error(`${replica.id} died`);
    }
    const living = [...this.#replicas.values()].filter(({ killed }) => !killed);
    await Promise.all(living.map((replica) => this.#kill(replica)));
    const errorsSaid = await Promise.all([...this.#replicas.values()].map(async ({ id, process }) => {
      const [out, said] = await Promise.all([
        new Response(process.stdout).text(),
        new Response(process.stderr).text(),
      ]);
      return /\berror\b|invariant/.test(said) || out !== ""
        ? [`${id} says: ${out}${said.slice(0, 2000)}`]
        : [];
    }));
    this.#errors.push(...errorsSaid.flat());
    const tally = {
      scenario: this.#scenario,
      messages: this.#messages,
      dropped: this.#dropped,
      byType: this.#byType,
      inDeadHands: this.#inDeadHands,
    };
    return judge({ ...tally, leaders: this.#leaders }, this.#clients, this.#errors);
  }

  close(): void {
    for (const { process } of this.#replicas.values()) {
      process.kill("SIGKILL");
      running.delete(process);
    }
    this.#socket?.close();
  }

  #start(id: string, port: number): void {
    const others = replicaIds.filter((other) => other !== id);
    const child = Bun.spawn([...coracleCommand(), "datacenter", String(port), id, ...others], {
      env: cleanEnvironment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    running.add(child);
    child.exited.then(() => running.delete(child));
    this.#replicas.set(id, { id, process: child, port: null, alive: true, killed: false });
  }

  async #kill(replica: Replica): Promise<void> {
    replica.alive = false;
    replica.killed = true;
    replica.process.kill("SIGTERM");
    const patience = this.#options.patient ? 10_000 : 1000;
    const ended = await Promise.race([replica.process.exited.then(() => true), Bun.sleep(patience)]);
    if (ended !== true) this.#error(`${replica.id} does not end at once on SIGTERM`);
    replica.process.kill("SIGKILL");
  }

  #event(type: EventType): void {
    const followers = this.#living().filter((id) => id !== this.#leader);
    const pick = () => followers.splice(Math.floor(this.#random() * followers.length), 1)[0] ?? anybody;
    if (type === "kill_follower") this.#killOne(pick());
    else if (type === "kill_leader") {
      this.#killOne(this.#leader);
      this.#clients.forget();
    } else if (type === "partition_easy") this.#majority = new Set([this.#leader, pick(), pick()]);
    else if (type === "partition_hard") {
      this.#majority = new Set([pick(), pick(), pick()]);
      this.#clients.forget();
    } else this.#majority = null;
  }

  #killOne(id: string): void {
    const replica = this.#replicas.get(id);
    if (replica === undefined) return this.#error(`the run wants to kill ${id}, but nobody is known to lead`);
    this.#inDeadHands += this.#clients.inHandsOf(id);
    void this.#kill(replica);
  }

  #living(): readonly string[] {
    return [...this.#replicas.values()].filter(({ alive }) => alive).map(({ id }) => id);
  }

  #route(bytes: Uint8Array, port: number): void {
    const text = new TextDecoder().decode(bytes);
    const message = this.#parse(text, bytes.byteLength);
    if (message === null) return;
    const { src, dst, leader, type } = message;
    const sender = this.#replicas.get(src);
    if (sender === undefined) return this.#error(`an unknown source: ${text}`);
    // Its last words may still be on the way.
    if (!sender.alive) return;
    if (type === "hello") {
      if (dst !== anybody || leader !== anybody) this.#error(`an odd hello: ${text}`);
      sender.port = port;
      return;
    }
    if (sender.port !== port) return this.#error(`${src} speaks from another socket`);
    if (leader !== anybody && (this.#majority === null || this.#majority.has(src))) this.#lead(leader);
    if (clientIds.includes(dst)) this.#clients.deliver(message, performance.now());
    else if (dst === anybody) { for (const id of replicaIds) id !== src && this.#carry(src, id, type, text); }
    else if (this.#replicas.has(dst)) this.#carry(src, dst, type, text);
    else this.#error(`an unknown destination: ${text}`);
  }

  #carry(src: string, dst: string, type: string, text: string): void {
    this.#messages++;
    this.#byType[type] = (this.#byType[type] ?? 0) + 1;
    const apart = this.#majority !== null && this.#majority.has(src) !== this.#majority.has(dst);
    if (apart || this.#random() < this.#scenario.drops) this.#dropped++;
    else this.#deliver(dst, text);
  }

  #deliver(dst: string, text: string): void {
    const replica = this.#replicas.get(dst);
    if (replica === undefined || !replica.alive) return;
    // A patient run blames the machine for a process that is not there in time.
    if (replica.port === null && this.#options.patient) return;
    if (replica.port === null) return this.#error(`a message to ${dst}, which has not said hello: ${text}`);
    this.#socket?.send(text, replica.port, "127.0.0.1");
  }

  #parse(text: string, size: number): (Message & Record<"src" | "dst" | "leader" | "type", string>) | null {
    try {
      const message = JSON.parse(text);
      const { src, dst, leader, type } = message;
      const ids = [src, dst, leader];
      if (ids.every((id) => typeof id === "string" && idPattern.test(id)) && typeof type === "string") {
        if (size <= maxDatagram) return message;
      }
    } catch {
      // Judged below.
    }
    this.#error(`a malformed message: ${text.slice(0, 300)}`);
    return null;
  }

  #lead(leader: string): void {
    this.#leader = leader;
    if (this.#replicas.get(leader)?.alive === true && this.#leaders.at(-1) !== leader) {
      this.#leaders.push(leader);
    }
  }

  #error(what: string): void {
    this.#errors.push(what);
  }
}
