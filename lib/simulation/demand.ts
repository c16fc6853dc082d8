// Liveness: when the faults are over, a healed core must make progress in bounded time. It has a leader, takes a write and
// a linearizable read through every node, and all of its nodes come to hold the same state.
import { idOf, isMember } from "../raft/mod.ts";
import type { Electorate } from "./electorate.ts";
import type { SimulatedNode } from "./node.ts";
import type { Timeline } from "./time.ts";

export type DemandSurroundings<Query, Answer> = {
  readonly timeline: Timeline;
  readonly core: readonly SimulatedNode<Query, Answer>[];
  readonly electorate: Electorate;
  /** A command for a write of the world's own. */
  command(): Uint8Array;
  /** Highest index that anybody applied. */
  top(): number;
};

/** What is still missing of what was demanded. */
export class Demand<Query, Answer> {
  readonly #world: DemandSurroundings<Query, Answer>;
  readonly #written = new Set<string>();
  readonly #read = new Set<string>();

  constructor(world: DemandSurroundings<Query, Answer>) {
    this.#world = world;
    for (const node of world.core) {
      this.#writeThrough(node);
      this.#readThrough(node);
    }
  }

  /** null = everything is there; else a sentence that says what is not. */
  missing(): string | null {
    const { core } = this.#world;
    for (const { name, replica } of core) {
      if (replica === null) return `${name} does not run`;
    }
    const unsettled = this.#unsettled();
    if (unsettled !== null) return `${unsettled}; ${this.#picture()}`;
    const serving = this.serving();
    if (serving.length === 0) return `nobody serves; ${this.#picture()}`;
    for (const { name } of serving) {
      if (!this.#written.has(name)) return `no write through ${name} was done; ${this.#picture()}`;
      if (!this.#read.has(name)) return `no linearizable read at ${name} was answered; ${this.#picture()}`;
    }
    const top = this.#world.top();
    for (const { name, replica } of serving) {
      const applied = replica?.status().appliedIndex ?? 0;
      if (applied < top) return `${name} applied up to ${applied} of ${top}; ${this.#picture()}`;
    }
    return null;
  }

  /** The members; who was removed and knows it, or was never let in because people had said no, owes nothing. */
  serving(): readonly SimulatedNode<Query, Answer>[] {
    const newest = this.#world.electorate.newest?.configuration ?? null;
    return this.#world.core.filter(({ replica }) =>
      replica !== null && (newest === null || isMember(newest, replica.status().replica))
    );
  }

  /** No change is half done, every node is what it wished to be, and who was removed knows it. */
  #unsettled(): string | null {
    const newest = this.#world.electorate.newest?.configuration ?? null;
    if (newest === null) return null;
    if (newest.outgoing.length > 0) {
      return `the joint phase of ${newest.voters.map(idOf).join(", ")} is not left`;
    }
    for (const { name, replica } of this.#world.core) {
      if (replica === null) continue;
      const { phase, waitingFor, replica: self } = replica.status();
      const wanted = isMember(newest, self) ? "running" : "removed";
      if (phase === wanted || waitingFor?.startsWith("refused: it was removed") === true) continue;
      return `${name} is ${phase}, it has to be ${wanted}`;
    }
    return null;
  }

  #picture(): string {
    return this.#world.core.map(({ name, replica }) => {
      const status = replica?.status();
      return status === undefined
        ? `${name} down`
        : `${name} ${status.phase} ${status.role} term ${status.term} commit ${status.commitIndex} applied ${status.appliedIndex} last ${status.lastIndex}` +
          (status.waitingFor === null ? "" : ` (${status.waitingFor})`);
    }).join("; ");
  }

  #writeThrough(node: SimulatedNode<Query, Answer>): void {
    const again = () => void this.#world.timeline.after(150, () => this.#writeThrough(node));
    const { process, replica } = node;
    if (process === null || replica === null) return again();
    process.turn(() => {
      replica.propose(this.#world.command(), { timeoutMs: 2000 }).then((ending) => {
        if (ending.type === "done") this.#written.add(node.name);
        else again();
      });
    });
  }

  #readThrough(node: SimulatedNode<Query, Answer>): void {
    const again = () => void this.#world.timeline.after(150, () => this.#readThrough(node));
    const { process, replica } = node;
    if (process === null || replica === null) return again();
    process.turn(() => {
      replica.read({ type: "linearizable" }, { timeoutMs: 2000 }).then((permit) => {
        if (permit.ok) this.#read.add(node.name);
        else again();
      });
    });
  }
}
