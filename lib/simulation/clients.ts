// The clients of the world: each does one operation after another at random nodes and waits for its ending. What was refused
// it may try again, as another operation; what may have happened it never resends. What it saw goes into the history for the checker, and at once past cheaper checks of order and age.
import { Chronicle, type Ending, type Seen } from "./chronicle.ts";
import type { Consistency } from "../replica/api.ts";
import type { Invariants } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";
import type { Operation } from "./linearizability/history.ts";
import type { SimulatedNode } from "./node.ts";
import { Patience } from "./patience.ts";
import type { SimulatedProcess } from "./process.ts";
import type { RandomSource } from "./random.ts";
import { Shown } from "./shown.ts";
import type { Timeline } from "./time.ts";
import type { Trace } from "./trace.ts";
import {
  type Oracle,
  taggedCommand,
  type Workload,
  type WorkloadClient,
  type WorkloadOperation,
} from "./workload.ts";

/** Of the acknowledged writes, how many are chased by a read. */
const chaseShare = 0.25;

/** Of the writes that were refused, how many are tried again, and how often at most. */
const retryShare = 0.4;
const maxTries = 4;

export type ClientCounts = {
  done: number;
  refused: number;
  unknown: number;
  reads: number;
  staleReads: number;
};

export type ClientSurroundings<Query, Answer, State, Input, Output> = {
  readonly timeline: Timeline;
  readonly trace: Trace;
  readonly nodes: readonly SimulatedNode<Query, Answer>[];
  readonly workload: Workload<Query, Answer, State, Input, Output>;
  readonly ledger: Ledger;
  readonly invariants: Invariants;
  readonly oracle: Oracle<Query, Answer> | null;
  readonly random: RandomSource;
  readonly clients: number;
  /** Mean time between two operations of one client, ms. */
  readonly thinkMs: number;
  /** The clients stop after so many operations. */
  readonly maxOperations: number;
};

export class Clients<Query, Answer, State, Input, Output> {
  readonly #chronicle = new Chronicle<Query, Input, Output>();
  readonly counts: ClientCounts = { done: 0, refused: 0, unknown: 0, reads: 0, staleReads: 0 };
  /** Clients do so many times as much. */
  pressure = 1;
  started = 0;
  readonly #world: ClientSurroundings<Query, Answer, State, Input, Output>;
  readonly #chaser: WorkloadClient<Query, Input, Output>;
  readonly #chaseRandom: RandomSource;
  #chases = 0;
  readonly #refusals: { readonly node: string; readonly operation: string }[] = [];
  #stopped = false;
  readonly #shown: Shown;
  readonly #patience: Patience;

  constructor(world: ClientSurroundings<Query, Answer, State, Input, Output>) {
    this.#world = world;
    this.#shown = new Shown(world.timeline, world.nodes.map(({ clock }) => clock));
    this.#patience = new Patience(world.timeline, world.invariants);
    this.#chaser = world.workload.client("chaser");
    this.#chaseRandom = world.random.fork("chaser");
    for (let number = 1; number <= world.clients; number++) this.#live(`c${number}`);
  }

  get history(): readonly Operation<Input, Output>[] {
    return this.#chronicle.history;
  }

  /** Takes a write that somebody else does into the history; nobody waits for its ending. */
  foreign(id: string, operation: WorkloadOperation<Query, Input>): void {
    this.#chronicle.record("world", id, operation, this.#chronicle.step(), { type: "unknown" });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What was refused must not have happened later either. */
  checkRefusals(): void {
    for (const { node, operation } of this.#refusals) this.#world.invariants.refused(node, operation);
  }

  #live(name: string): void {
    const { timeline, workload, random, thinkMs } = this.#world;
    const chance = random.fork(name);
    const client = workload.client(name);
    let count = 0;
    const attempt = (operation: WorkloadOperation<Query, Input>, tries: number) => {
      this.started++;
      const id = `${name}.${++count}`;
      this.#do(name, id, operation, chance, chance.pick(this.#world.nodes), (ending, seen) => {
        for (const [part, output] of seen) client.learned(part, output);
        const refused = ending === "failed" && operation.action.type === "write";
        if (refused && tries < maxTries && this.#mayBegin && chance.chance(retryShare)) {
          timeline.after(chance.between(5, 300), () => this.#mayBegin && attempt(operation, tries + 1));
        } else later();
      });
    };
    const next = () => {
      if (this.#mayBegin) attempt(client.next(chance), 1);
    };
    const later = () => timeline.after(chance.exponential(thinkMs / this.pressure), next);
    timeline.after(chance.between(0, 1500), next);
  }

  get #mayBegin(): boolean {
    return !this.#stopped && this.started < this.#world.maxOperations;
  }

  /**
   * A read right behind an acknowledged write, preferably at a node that believes to lead: one that does so wrongly is
   * found in the short time before it notices.
   */
  #chase(): void {
    if (!this.#mayBegin) return;
    const random = this.#chaseRandom;
    const leaders = this.#world.nodes.filter(({ replica }) => replica?.status().role === "leader");
    const node = leaders.length > 0 && random.chance(0.6)
      ? random.pick(leaders)
      : random.pick(this.#world.nodes);
    // Some workloads may hardly ever read.
    for (let draws = 0; draws < 50; draws++) {
      const operation = this.#chaser.next(random);
      if (operation.action.type !== "read") continue;
      this.started++;
      const id = `chaser.${++this.#chases}`;
      return this.#do(id, id, operation, random, node, () => {}, true);
    }
  }

  #do(
    client: string,
    id: string,
    operation: WorkloadOperation<Query, Input>,
    random: RandomSource,
    node: SimulatedNode<Query, Answer>,
    then: (
      ending: Ending<Query, Input, Output>["type"],
      seen: readonly Seen<Query, Input, Output>[],
    ) => void,
    chased = false,
  ): void {
    const { timeline, trace } = this.#world;
    const timeoutMs = random.chance(0.1) ? random.between(5, 100) : random.between(300, 4000);
    const call = this.#chronicle.step();
    const floor = this.#shown.index;
    const travel = () => random.between(0.1, 2);
    let over = false;
    const end = (outcome: Ending<Query, Input, Output>, index: number | null, what: string) => {
      if (over) return;
      over = true;
      if (trace.on) trace.line(`${client} ${id} ${what}`);
      if (index !== null) this.#shown.show(index);
      // A read that was not answered says nothing about anything.
      const tells = operation.action.type === "write" || outcome.type === "ok";
      then(outcome.type, tells ? this.#chronicle.record(client, id, operation, call, outcome) : []);
      if (operation.action.type === "write" && outcome.type === "ok" && random.chance(chaseShare)) {
        this.#chase();
      }
    };
    const consistency = chased ? this.#strict(random) : this.#consistency(random);
    if (trace.on) trace.line(`${client} ${id} at ${node.name}: ${this.#describe(operation, consistency)}`);
    timeline.after(travel(), () => {
      const process = node.process;
      if (process === null || node.replica === null) {
        this.counts.refused++;
        return end({ type: "failed", return: this.#chronicle.step() }, null, "finds nobody there");
      }
      // The connection breaks with the process; a client does not wait for ever either.
      const lost = () => {
        if (over) return;
        this.counts.unknown++;
        end({ type: "unknown" }, null, "lost its connection");
      };
      process.whenEnded(() => timeline.after(travel(), lost));
      timeline.after(timeoutMs + 2000, lost);
      const answer = (outcome: () => Ending<Query, Input, Output>, index: number | null, what: string) =>
        timeline.after(travel(), () => end(outcome(), index, what));
      process.turn(() => {
        if (operation.action.type === "write") {
          this.#write(node, id, operation.action.command, timeoutMs, answer);
        } else {this.#read(
            node,
            id,
            operation.action.query,
            consistency,
            floor,
            timeoutMs,
            answer,
            end,
          );}
      });
    });
  }

  #strict(random: RandomSource): Consistency {
    return { type: random.chance(0.5) ? "lease" : "linearizable" };
  }

  #consistency(random: RandomSource): Consistency {
    const chance = random.next();
    if (chance < 0.55) return { type: "linearizable" };
    if (chance < 0.75) return { type: "lease" };
    return { type: "stale", maxStalenessMs: random.chance(0.5) ? random.between(20, 3000) : null };
  }

  #write(
    node: SimulatedNode<Query, Answer>,
    id: string,
    command: Uint8Array,
    timeoutMs: number,
    answer: (outcome: () => Ending<Query, Input, Output>, index: number | null, what: string) => void,
  ): void {
    const { invariants, workload } = this.#world;
    const { process, replica } = node;
    if (replica === null || process === null) return;
    const answered = this.#patience.expect(id, process, timeoutMs);
    replica.propose(taggedCommand(id, command), { timeoutMs }).then((ending) => {
      answered();
      if (!process.alive) return;
      switch (ending.type) {
        case "done": {
          this.counts.done++;
          const { index, term, result } = ending;
          invariants.acknowledged(node.name, id, index, term);
          const output = (part: WorkloadOperation<Query, Input>) => workload.outputOfResult(part, result);
          return answer(
            () => ({ type: "ok", output, return: this.#chronicle.step() }),
            index,
            `done at ${index}/${term}`,
          );
        }
        case "refused":
          this.counts.refused++;
          invariants.refused(node.name, id);
          this.#refusals.push({ node: node.name, operation: id });
          return answer(
            () => ({ type: "failed", return: this.#chronicle.step() }),
            null,
            `refused: ${ending.reason}`,
          );
        case "unknown":
          this.counts.unknown++;
          return answer(() => ({ type: "unknown" }), null, `unknown: ${ending.reason}`);
      }
    });
  }

  #read(
    node: SimulatedNode<Query, Answer>,
    id: string,
    query: Query,
    consistency: Consistency,
    floor: number,
    timeoutMs: number,
    answer: (outcome: () => Ending<Query, Input, Output>, index: number | null, what: string) => void,
    end: (outcome: Ending<Query, Input, Output>, index: number | null, what: string) => void,
  ): void {
    const { workload, oracle, invariants, timeline } = this.#world;
    const { process, replica } = node;
    if (replica === null || process === null) return;
    const answered = this.#patience.expect(id, process, timeoutMs);
    replica.read(consistency, { timeoutMs }).then((permit) => {
      answered();
      if (!process.alive) return;
      const failed = () => ({ type: "failed", return: this.#chronicle.step() }) as const;
      if (!permit.ok) {
        this.counts.refused++;
        return answer(failed, null, `refused: ${permit.reason}`);
      }
      const result = this.#ask(node, process, query);
      if (result === undefined) return;
      const { index, stalenessMs } = permit;
      // The rest of the turn may have applied more between the permission and this answer.
      const seen = node.appliedIndex;
      if (seen < index) {
        invariants.fail("Reads", `${node.name}: a read allowed at ${index} sees only ${seen}`);
      }
      const complaint = oracle?.read(seen, query, result) ?? null;
      if (complaint !== null) invariants.fail("Reads", `${node.name}: ${complaint}`);
      if (consistency.type === "stale") {
        this.counts.staleReads++;
        const old = this.#shown.tooOld(index, stalenessMs, consistency.maxStalenessMs);
        if (old !== null) invariants.fail("Staleness", `${node.name}: ${old}`);
        // Not linearizable, so not for the checker; what it saw binds nobody else.
        return void timeline.after(
          1,
          () => end(failed(), null, `read at ${index}, ${stalenessMs ?? "?"} ms old`),
        );
      }
      this.counts.reads++;
      invariants.readAnswered(node.name);
      if (index < floor) {
        invariants.fail(
          "Linearizable reads",
          `${node.name}: a ${consistency.type} read saw index ${index}; ${floor} had been shown before it began`,
        );
      }
      const output = (part: WorkloadOperation<Query, Input>) => workload.outputOfAnswer(part, result);
      answer(() => ({ type: "ok", output, return: this.#chronicle.step() }), seen, `read at ${seen}`);
    });
  }

  /** Undefined where the state turned out to be damaged: then the process must have ended by that. */
  #ask(
    node: SimulatedNode<Query, Answer>,
    process: SimulatedProcess,
    query: Query,
  ): Answer | undefined {
    try {
      return node.replica?.query(query);
    } catch (error) {
      const { message } = error instanceof Error ? error : new Error(String(error));
      if (process.alive) {
        this.#world.invariants.fail("Corruption", `${node.name} goes on after a query threw: ${message}`);
      }
      return undefined;
    }
  }

  #describe(operation: WorkloadOperation<Query, Input>, consistency: Consistency): string {
    const text = JSON.stringify(operation.input).slice(0, 80);
    return operation.action.type === "write"
      ? `${operation.key} ${text}`
      : `${operation.key} ${text} ${consistency.type}`;
  }
}
