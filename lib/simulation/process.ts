// One life of a node's process: turns of its event loop one after another, timers on its own clock. It can be slow, stand
// still (blocked by its disk, stopped, suspended) and die; after that nothing of it ever runs again.
import type { Scheduler } from "../replica/ports.ts";
import { Holds, type Release } from "./holds.ts";
import type { NodeClock, Timeline } from "./time.ts";

/** `depth`: of so many turns each was asked for by the one before, and by nothing else. */
type Held = { readonly task: () => void; readonly timer: boolean; readonly depth: number };

const quickMs = 0.02;
/** A loop that turns so often without an event from outside turns for nothing. */
const busyTurns = 50;

export class SimulatedProcess {
  readonly name: string;
  readonly clock: NodeClock;
  readonly scheduler: Scheduler;
  alive = true;
  /** Told after each turn. */
  onTurn: () => void = () => {};
  /** Told when it turns round and round though nothing happens to it: a real one would take a whole core. */
  onBusy: (turns: number) => void = () => {};
  /** Of the turn under way. */
  #depth = 0;
  /** How long the end of a turn takes to come, ms. */
  #turnMs = quickMs;
  #pausedAt = 0;
  #stillMs = 0;
  readonly #pauses = new Holds<true>();
  readonly #slowness = new Holds<number>((held) => this.#turnMs = Math.max(quickMs, ...held));
  readonly #timeline: Timeline;
  readonly #crashed: (error: unknown) => void;
  readonly #ended: (() => void)[] = [];
  #held: Held[] = [];
  #blockedUntil = 0;
  #waking = false;

  /** `crashed` hears of an exception that nobody caught. */
  constructor(name: string, timeline: Timeline, clock: NodeClock, crashed: (error: unknown) => void) {
    this.name = name;
    this.clock = clock;
    this.#timeline = timeline;
    this.#crashed = crashed;
    this.scheduler = {
      after: (ms, task) => this.#after(ms, task),
      defer: (task) => {
        const depth = this.#depth + 1;
        if (depth > busyTurns) this.onBusy(depth);
        timeline.after(this.#turnMs, () => this.#turn({ task, timer: false, depth }));
      },
    };
  }

  /** Runs `task` as a turn of the loop: now, or in its place among those that wait. */
  turn(task: () => void, timer = false): void {
    this.#turn({ task, timer, depth: 0 });
  }

  #turn(held: Held): void {
    if (!this.alive) return;
    if (this.paused || this.#held.length > 0 || this.#timeline.now < this.#blockedUntil) {
      this.#held.push(held);
      this.#wakeLater();
      return;
    }
    this.#run(held);
  }

  /** The loop does nothing else for so long. */
  block(ms: number): void {
    this.#stillMs += ms;
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#timeline.now) + ms;
  }

  get paused(): boolean {
    return this.#pauses.any;
  }

  /** How long its loop has stood still so far, blocked or stopped, ms. */
  get stillMs(): number {
    return this.#stillMs + (this.paused ? this.#timeline.now - this.#pausedAt : 0);
  }

  /** Turns take so long until the release. */
  slow(turnMs: number): Release {
    return this.#slowness.hold(turnMs);
  }

  /** Nothing runs until the returned function is called. */
  pause(): (timersFirst: boolean) => void {
    if (!this.paused) this.#pausedAt = this.#timeline.now;
    const release = this.#pauses.hold(true);
    return (timersFirst) => {
      const still = this.stillMs;
      release();
      if (this.paused) return;
      this.#stillMs = still;
      this.#resume(timersFirst);
    };
  }

  /** What waited runs now. After a pause a runtime runs the timers that are due before the data in its sockets. */
  #resume(timersFirst: boolean): void {
    if (timersFirst) {
      this.#held = [...this.#held.filter(({ timer }) => timer), ...this.#held.filter(({ timer }) => !timer)];
    }
    this.#wakeLater();
  }

  /** Calls `then` when the process dies; at once where it is dead. */
  whenEnded(then: () => void): void {
    if (this.alive) this.#ended.push(then);
    else then();
  }

  end(): void {
    if (!this.alive) return;
    this.alive = false;
    this.#held = [];
    for (const then of this.#ended) then();
  }

  #run({ task, depth }: Held): void {
    this.#depth = depth;
    try {
      task();
      if (this.alive) this.onTurn();
    } catch (error) {
      this.#crashed(error);
    }
    this.#depth = 0;
  }

  #wakeLater(): void {
    if (this.#waking || this.paused || this.#held.length === 0) return;
    this.#waking = true;
    this.#timeline.at(this.#blockedUntil, () => {
      this.#waking = false;
      if (!this.alive || this.paused) return;
      if (this.#timeline.now >= this.#blockedUntil) {
        const next = this.#held.shift();
        if (next !== undefined) this.#run(next);
      }
      this.#wakeLater();
    });
  }

  #after(ms: number, task: () => void): () => void {
    const due = this.clock.monotonic() + Math.max(0, ms);
    let cancelled = false;
    let cancelEvent = () => {};
    const fire = () => {
      if (cancelled || !this.alive) return;
      const left = due - this.clock.monotonic();
      // The clock was slowed or stands still: not yet.
      if (left > 1e-6) arm(this.clock.frozen ? Math.max(left, 20) : left);
      else this.turn(() => cancelled || task(), true);
    };
    const arm = (left: number) => {
      cancelEvent = this.#timeline.after(this.clock.worldMs(left), fire);
    };
    arm(Math.max(0, ms));
    return () => {
      cancelled = true;
      cancelEvent();
    };
  }
}
