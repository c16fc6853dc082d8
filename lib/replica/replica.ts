// A replica: the core, its log, its state and its links in one loop (design §3), behind what the front doors see of it.
// This file only puts the parts together and knows the phase; forming.ts forms the cluster, running.ts takes part in it.
import { type ReplicaId, type Result } from "../raft/mod.ts";
import type {
  Applied,
  Consistency,
  DirectoryEntry,
  Outcome,
  Phase,
  ReadPermit,
  ReplicaApi,
  ReplicaStatus,
} from "./api.ts";
import { Applier } from "./applied.ts";
import { CorruptStorage } from "./corruption.ts";
import { Deadlines } from "./deadlines.ts";
import { Forming } from "./forming.ts";
import { Members } from "./members.ts";
import { mixtureOf } from "./mixture.ts";
import type { AdminOutcome, AdminRequest } from "./membership-messages.ts";
import {
  asDiskSays,
  defaultLimits,
  type DurablyOut,
  type ReplicaLimits,
  type ReplicaOptions,
} from "./options.ts";
import { listenTo } from "./listening.ts";
import type { PeerMessage, RefusalReason } from "./peer-messages.ts";
import type { StateMachine } from "./ports.ts";
import { Proposals } from "./proposals.ts";
import { Running } from "./running.ts";
import { Space } from "./space.ts";
import { checkpointEvery } from "./state-compare.ts";
import { statusOf } from "./status.ts";
import { Stopping } from "./stopping.ts";
import { Ticks } from "./ticks.ts";

/** How long a removed replica keeps its links: what it promised as the leader of its own removal is still to go out. */
const lastWordsMs = 1000;

export class Replica<Query = never, Answer = unknown> implements ReplicaApi<Query, Answer> {
  readonly #options: ReplicaOptions<Query, Answer>;
  readonly #limits: ReplicaLimits;
  readonly #machine: StateMachine<Query, Answer>;
  readonly #deadlines: Deadlines;
  readonly #proposals: Proposals;
  readonly #applier: Applier;
  readonly #space: Space;
  readonly #ticks: Ticks;
  readonly #forming: Forming;
  readonly #members: Members;
  #running: Running | null = null;
  #stopping: Stopping | null = null;
  #phase: Phase = "forming";
  #now: number;

  constructor(given: ReplicaOptions<Query, Answer>) {
    const options = asDiskSays(given);
    const limits = { ...defaultLimits, ...options.limits };
    const { clock, scheduler, state, identity, expected, links, random, log, metrics } = options;
    this.#options = options;
    this.#limits = limits;
    this.#now = clock.monotonic();
    this.#machine = options.machine(state.store);
    this.#deadlines = new Deadlines(this.#now);
    this.#proposals = new Proposals({
      deadlines: this.#deadlines,
      maxProposals: limits.maxProposals,
      maxProposalBytes: limits.maxProposalBytes,
      leaderKnown: () => this.#running !== null && this.#running.leaderId !== null,
      forget: (requestId) => this.#running?.forget(requestId),
      onOutcome: (type) => metrics?.onOutcome?.(type),
    });
    this.#applier = new Applier({
      state,
      machine: this.#machine,
      clock,
      hasRoom: (bytes) => this.#space.sparesForState(bytes),
      onApplied: (index, term, result) => {
        this.#proposals.applied(index, term, result);
        this.#running?.applied(index, term, result);
        if (index % checkpointEvery === 0) this.#members.checkpoint(index, state.hash());
      },
      onStateCommit: (seconds) => metrics?.onStateCommit?.(seconds),
      fail: this.#fail,
    });
    this.#space = new Space(options.space, limits.reserveBytes, log);
    this.#ticks = new Ticks(clock, scheduler, limits.tickMs, () => this.#guard(() => this.#tick()));
    const { join = false, discovers = false } = options.membership ?? {};
    this.#forming = new Forming({
      ...{ identity, expected, links, random, log },
      abstains: join && discovers,
      guard: this.#guard,
      fail: this.#fail,
      onStarted: () => this.#run(),
    });
    this.#members = new Members({
      options,
      now: () => this.#read(),
      guard: this.#guard,
      fail: this.#fail,
      running: () => this.#isOut ? null : this.#running,
      underWay: () => this.#proposals.count,
      hasToBeAdmitted: () => this.#forming.hasToBeAdmitted,
      hold: () => this.#forming.hold(),
      onAdopted: () => {
        this.#forming.admitted(identity.node.record ?? []);
        this.#run();
      },
      onOut: (out) => this.#leave(out),
    });
  }

  /** Begins to listen to peers and to keep time. Call once. */
  start(): void {
    this.#guard(() => {
      const { links, identity, durableLog, state } = this.#options;
      const mixture = mixtureOf(durableLog, state);
      if (mixture !== null) return this.#fail(mixture);
      listenTo(links, {
        guard: this.#guard,
        message: (from, message) => this.#receive(from, message),
        members: this.#members,
        forming: this.#forming,
        linkLost: (peer) => this.#running?.linkLost(peer),
      });
      this.#space.tick(this.#read());
      this.#ticks.start();
      if (identity.out !== null) this.#phase = identity.out;
      else if (identity.node.started) this.#run();
      else this.#forming.advance();
    });
  }

  propose(command: Uint8Array, { timeoutMs }: { readonly timeoutMs: number }): Promise<Outcome> {
    return new Promise((resolve) => {
      const refusal = this.#refusal(command);
      const running = this.#running;
      const waiter = refusal !== null || running === null
        ? null
        : this.#proposals.admit(command, this.#read() + timeoutMs, resolve);
      if (waiter === null) {
        this.#options.metrics?.onOutcome?.("refused");
        resolve({ type: "refused", reason: refusal ?? (running === null ? "not_ready" : "overloaded") });
      } else this.#guard(() => running?.route(waiter));
    });
  }

  read(consistency: Consistency, { timeoutMs }: { readonly timeoutMs: number }): Promise<ReadPermit> {
    return new Promise((resolve) => {
      const running = this.#running;
      if (this.#phase === "removed") return resolve({ ok: false, reason: "removed" });
      const isUp = !["failed", "stopped", "refused"].includes(this.#phase) && this.#members.caughtUp;
      if (running === null || !isUp) return resolve({ ok: false, reason: "not_ready" });
      if (consistency.type === "stale") return resolve(this.#stale(running, consistency.maxStalenessMs));
      if (this.#phase === "stopping") return resolve({ ok: false, reason: "stopping" });
      let taken = true;
      this.#guard(() => {
        taken = running.read(consistency.type, this.#read() + timeoutMs, (ending) => {
          resolve(ending.ok ? this.#permit(0) : ending);
        });
      });
      if (!taken) resolve({ ok: false, reason: "overloaded" });
    });
  }

  query(query: Query): Answer {
    try {
      return this.#machine.query(query);
    } catch (error) {
      // A bad request of the front door is its own affair; a row that is not what was written is not.
      if (error instanceof CorruptStorage) this.#fail(`the applied state is corrupt: ${error.message}`);
      throw error;
    }
  }

  subscribe(listener: (applied: Applied) => void): () => void {
    return this.#applier.subscribe(listener);
  }

  administer(request: AdminRequest, { timeoutMs }: { readonly timeoutMs: number }): Promise<AdminOutcome> {
    return this.#members.administer(request, timeoutMs);
  }

  directory(): readonly DirectoryEntry[] {
    return this.#members.directory(this.#read());
  }

  /** Without a list of nodes: whoever is found forms the cluster; see Formation.discovering. */
  discovering(atLeast: number | null, behind: readonly (ReplicaId | null)[] = []): void {
    this.#guard(() => this.#forming.discovering(atLeast, behind));
  }

  transferLeadership(to: ReplicaId | null): Result<ReplicaId> {
    if (this.#running === null || this.#phase !== "running") return { ok: false, reason: "not_leader" };
    return this.#running.transfer(to);
  }

  status(): ReplicaStatus {
    // Asking to be let in begins where forming a cluster by itself has come to its end.
    const phase = this.#phase === "forming" && this.#members.asks ? "joining" : this.#phase;
    const waitingFor = phase === "joining" || phase === "refused"
      ? this.#members.waitingFor
      : this.#forming.waitingFor();
    const running = this.#isOut ? null : this.#running;
    // Also who is out knows what was committed.
    const commitIndex = this.#running?.status().commitIndex ?? this.#applier.index;
    const parts = [running, commitIndex, this.#applier, this.#proposals, this.#space] as const;
    return { ...statusOf(this.#options, phase, waitingFor, ...parts), ...this.#members.picture() };
  }

  /** Hash of the state as applied here, equal on every replica that applied as much. */
  stateHash(): string {
    return this.#options.state.hash();
  }

  stop(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#phase === "stopped" || this.#phase === "failed") return resolve();
      if (this.#stopping !== null) return this.#stopping.onClosed(resolve);
      this.#stopping = new Stopping({
        ...{ timeoutMs, scheduler: this.#options.scheduler, now: this.#read() },
        ...{ running: this.#running, proposals: this.#proposals, guard: this.#guard, fail: this.#fail },
        end: () => this.#end(),
        commit: (done) => this.#applier.commitLast(done),
        close: () => this.#close(),
      });
      this.#phase = "stopping";
      this.#stopping.onClosed(resolve);
      this.#guard(() => this.#stopping?.begin());
    });
  }

  #run(): void {
    const { identity, state } = this.#options;
    if (state.applied().clusterId === null) state.adopt(identity.clusterId, null);
    this.#running = new Running({
      ...{ options: this.#options, limits: this.#limits, applier: this.#applier, proposals: this.#proposals },
      ...{ deadlines: this.#deadlines, guard: this.#guard, fail: this.#fail },
      now: () => this.#read(),
      refusal: (command) => this.#refusal(command),
      space: this.#space,
    });
    if (this.#phase === "forming") this.#phase = this.#members.entered ? "running" : "joining";
  }

  #receive(from: ReplicaId, message: PeerMessage): void {
    if (message.type === "Membership") return this.#members.message(from, message.payload);
    // A removed leader still says to those who have not heard of it that it takes nothing any more.
    const asks = message.type === "Forward" || message.type === "ReadIndex";
    if (this.#options.identity.out !== null && !asks) return;
    if (message.type === "Formation") this.#forming.message(from, message);
    else if (message.type === "Gossip") this.#members.gossip(from, message.payload);
    else if (this.#members.concernsUs(from)) this.#running?.receive(from, message);
  }

  get #isOut(): boolean {
    return this.#phase === "removed" || this.#phase === "refused";
  }

  /** Out for good: nobody waits here any more, and the others are left alone. */
  #leave(out: DurablyOut): void {
    const { why } = out;
    if (!["running", "joining", "forming"].includes(this.#phase)) return;
    this.#phase = why;
    this.#proposals.settleAll();
    this.#running?.refuseReads(why === "removed" ? why : "not_ready");
    const { scheduler, links } = this.#options;
    scheduler.after(why === "removed" ? lastWordsMs : 0, () => this.#guard(() => links.close()));
    this.#options.out?.(out);
  }

  #tick(): void {
    const now = this.#read();
    this.#space.tick(now);
    this.#deadlines.sweep(now);
    this.#members.tick(now);
    if (this.#options.identity.out === null) {
      this.#forming.tick(now);
      this.#running?.tick();
      if (this.#phase === "joining" && this.#members.entered) this.#phase = "running";
    }
    this.#applier.maybeCommit();
    this.#stopping?.tick(now);
  }

  /** Why this write is not taken just now; null = it is. */
  #refusal(command: Uint8Array): RefusalReason | null {
    if (this.#phase === "stopping" || this.#phase === "stopped") return "stopping";
    if (this.#phase === "removed" || this.#members.departs) return "removed";
    if (this.#phase !== "running") return "not_ready";
    if (this.#machine.accepts?.(command) === false) return "unknown_command";
    return this.#space.takes(command) ? null : "disk_full";
  }

  #stale(running: Running, maxStalenessMs: number | null): ReadPermit {
    const stalenessMs = running.stalenessMs();
    const tooStale = maxStalenessMs !== null && (stalenessMs === null || stalenessMs > maxStalenessMs);
    return tooStale ? { ok: false, reason: "too_stale" } : this.#permit(stalenessMs);
  }

  #permit(stalenessMs: number | null): ReadPermit {
    return { ok: true, index: this.#applier.index, term: this.#applier.term, stalenessMs };
  }

  /** The monotonic clock, never falling. */
  #read(): number {
    this.#now = Math.max(this.#now, this.#options.clock.monotonic());
    return this.#now;
  }

  /** Everything from outside comes in through here: nothing does once it has ended, and a broken invariant ends it. */
  readonly #guard = (task: () => void): void => {
    if (this.#phase === "failed" || this.#phase === "stopped") return;
    try {
      task();
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
  };

  /** An invariant broke or a disk failed: nothing is answered or promised any more, the process is to end. */
  readonly #fail = (message: string): void => {
    if (this.#phase === "failed" || this.#phase === "stopped") return;
    this.#phase = "failed";
    this.#options.log("error", `this replica cannot go on: ${message}`);
    this.#end();
    this.#options.fatal(message);
  };

  /** Nobody waits any more and nothing is due. */
  #end(): void {
    this.#ticks.stop();
    this.#proposals.settleAll();
    this.#running?.refuseReads(this.#phase === "failed" ? "not_ready" : "stopping");
  }

  #close(): void {
    this.#phase = "stopped";
    const { links, durableLog, state } = this.#options;
    links.close();
    durableLog.close();
    state.close();
  }
}
