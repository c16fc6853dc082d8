// Replicas of the course protocol in one process and in virtual time: every datagram passes through the test, which may
// swallow it; replicas die and are cut off when the story says so.
import { Datacenter, type Host } from "../../lib/adapters/mod.ts";
import { seededRandom } from "../support/random.ts";
import { replicaIds } from "./datacenter-judge.ts";

export type Datagram = { readonly [field: string]: unknown } & {
  readonly src: string;
  readonly dst: string;
  readonly type: string;
};

type Task = { readonly at: number; readonly order: number; readonly owner: string; readonly run: () => void };

export const worldIds = replicaIds;
/** Owner of what happens whoever lives. */
const nobody = "";

export class DatacenterWorld {
  now = 0;
  /** Everything that was sent to clients, in order. */
  readonly replies: Datagram[] = [];
  /** Everything between replicas, lost or not. */
  readonly sent: { readonly at: number; readonly size: number; readonly datagram: Datagram }[] = [];
  /** False: the datagram is lost. */
  carries: (datagram: Datagram) => boolean = () => true;
  /** How long a datagram to a replica takes, until it is looked at, ms; none overtakes another. */
  travelMs: () => number = () => 0.1;
  /** Hears of everything that is sent to clients. */
  onReply: (datagram: Datagram) => void = () => {};
  readonly #replicas = new Map<string, Datacenter>();
  readonly #logged: string[] = [];
  #tasks: Task[] = [];
  #order = 0;
  /** When the last datagram arrives that is on its way there. */
  readonly #arrivals = new Map<string, number>();

  constructor(seed: number) {
    for (const [at, id] of worldIds.entries()) {
      this.#replicas.set(
        id,
        new Datacenter({
          host: this.#hostOf(id, seed + at),
          id,
          others: worldIds.filter((other) => other !== id),
          send: (text) => this.#send(id, text),
        }),
      );
    }
    for (const replica of this.#replicas.values()) replica.start();
  }

  get living(): readonly string[] {
    return [...this.#replicas.keys()];
  }

  kill(id: string): void {
    this.#replicas.delete(id);
  }

  /** Something that happens in the world, whoever lives. */
  later(ms: number, run: () => void): void {
    this.#schedule(nobody, ms, run);
  }

  /** Something that arrives there after {@link travelMs}, behind everything that is on its way there. */
  travel(to: string, arrive: () => void): void {
    const at = Math.max(this.now + this.travelMs(), this.#arrivals.get(to) ?? 0);
    this.#arrivals.set(to, at);
    this.later(at - this.now, arrive);
  }

  /** A request of a client, right now. */
  ask(dst: string, request: { readonly [field: string]: unknown }, src = "0015"): void {
    this.#replicas.get(dst)?.receive(JSON.stringify({ src, dst, leader: "FFFF", ...request }));
  }

  repliesTo(mid: string): Datagram[] {
    return this.replies.filter(({ MID }) => MID === mid);
  }

  /** Lets so much virtual time pass. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settled();
      const next = this.#tasks[0];
      if (next === undefined || next.at > end) break;
      this.#tasks.shift();
      this.now = Math.max(this.now, next.at);
      if (next.owner === nobody || this.#replicas.has(next.owner)) next.run();
    }
    this.now = end;
    if (this.#logged.length > 0) throw new Error(this.#logged.join("\n"));
  }

  /** Runs until a replica sends clients to itself: it leads. */
  async leader(): Promise<string> {
    for (let attempt = 0; attempt < 100; attempt++) {
      await this.run(100);
      for (const id of this.living) {
        const mid = `probe ${this.now} ${id}`;
        this.ask(id, { type: "get", MID: mid, key: "probe" });
        await this.run(1);
        const reply = this.repliesTo(mid)[0];
        if (reply?.type === "ok") return id;
      }
    }
    throw new Error("nobody leads");
  }

  #hostOf(owner: string, seed: number): Host {
    return {
      clock: { monotonic: () => this.now, wall: () => this.now },
      scheduler: {
        after: (ms, run) => {
          const task = this.#schedule(owner, ms, run);
          return () => {
            this.#tasks = this.#tasks.filter((other) => other !== task);
          };
        },
        defer: (run) => void this.#schedule(owner, 0, run),
      },
      random: seededRandom(seed),
      log: (level, message) => {
        if (level === "error") this.#logged.push(`${owner}: ${message}`);
      },
      fatal: (message) => this.#logged.push(`${owner} must not go on: ${message}`),
      soon: queueMicrotask,
    };
  }

  #schedule(owner: string, ms: number, run: () => void): Task {
    const task = { at: this.now + ms, order: this.#order++, owner, run };
    let at = this.#tasks.length;
    while (at > 0 && (this.#tasks[at - 1]?.at ?? 0) > task.at) at--;
    this.#tasks.splice(at, 0, task);
    return task;
  }

  #send(src: string, text: string): void {
    const datagram = JSON.parse(text) as Datagram;
    const { dst, type } = datagram;
    if (!this.#replicas.has(src) || type === "hello") return;
    if (worldIds.includes(dst)) {
      this.sent.push({ at: this.now, size: new TextEncoder().encode(text).byteLength, datagram });
      if (this.carries(datagram)) this.travel(dst, () => this.#replicas.get(dst)?.receive(text));
    } else if (this.carries(datagram)) {
      this.replies.push(datagram);
      this.onReply(datagram);
    }
  }
}

/** Promises that were resolved have been heard. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
