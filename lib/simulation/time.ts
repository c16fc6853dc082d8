// Virtual time: one queue of events for the world, and a clock per node that drifts, jumps and stands still.
import { Holds, type Release } from "./holds.ts";

type Scheduled = { readonly at: number; readonly order: number; task: (() => void) | null };

/** The world's time in ms and what is to happen in it. Events of one instant happen in the order they were asked for. */
export class Timeline {
  now = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];

  /** Runs `task` at world time `at` (now, if that is past); the returned function cancels it. */
  at(at: number, task: () => void): () => void {
    const event: Scheduled = { at: at > this.now ? at : this.now, order: this.#order++, task };
    this.#push(event);
    return () => {
      event.task = null;
    };
  }

  after(ms: number, task: () => void): () => void {
    return this.at(this.now + ms, task);
  }

  /** Time of the next event; Infinity when there is none. */
  next(): number {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return Infinity;
      if (first.task !== null) return first.at;
      this.#pop();
    }
  }

  /** Goes to the next event and runs it; false when there is none. */
  step(): boolean {
    for (;;) {
      const event = this.#pop();
      if (event === undefined) return false;
      const task = event.task;
      if (task === null) continue;
      this.now = event.at;
      task();
      return true;
    }
  }

  #push(event: Scheduled): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent]!;
      if (!before(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): Scheduled | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || first === last) return first;
    const size = heap.length;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** 2025-01-01T00:00:00Z: where the world's wall clocks start. */
const wallStart = 1_735_689_600_000;

/** A machine's clocks. Monotonic time runs at `rate` and can be frozen; wall time runs on regardless, and can be set. */
export class NodeClock {
  readonly #timeline: Timeline;
  readonly #ownRate: number;
  #rate: number;
  #localAt: number;
  #worldAt: number;
  #frozen = false;
  #wallOffset: number;
  /** World time until which (or since which) this clock was last frozen; −Infinity = never. */
  frozenUntil = -Infinity;
  readonly #freezes = new Holds<true>((held) => held.length > 0 ? this.#stop() : this.#go());
  readonly #rates = new Holds<number>((held) => {
    this.#rebase();
    this.#rate = held.at(-1) ?? this.#ownRate;
  });

  constructor(timeline: Timeline, rate: number, origin: number, wallOffset: number) {
    this.#timeline = timeline;
    this.#ownRate = this.#rate = rate;
    this.#worldAt = timeline.now;
    this.#localAt = origin;
    this.#wallOffset = wallOffset;
  }

  monotonic(): number {
    if (this.#frozen) return this.#localAt;
    return this.#localAt + (this.#timeline.now - this.#worldAt) * this.#rate;
  }

  wall(): number {
    return wallStart + this.#timeline.now + this.#wallOffset;
  }

  /** World ms until the monotonic clock will have moved by `ms`, as far as can be told now. */
  worldMs(ms: number): number {
    return ms / this.#rate;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** The monotonic clock stands still until the release. */
  freeze(): Release {
    return this.#freezes.hold(true);
  }

  /** The monotonic clock runs at this rate until the release. */
  drift(rate: number): Release {
    return this.#rates.hold(rate);
  }

  /** Sets the wall clock forward or back. */
  jump(ms: number): void {
    this.#wallOffset += ms;
  }

  #stop(): void {
    this.#rebase();
    this.#frozen = true;
    this.frozenUntil = Infinity;
  }

  #go(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    this.#worldAt = this.#timeline.now;
    this.frozenUntil = this.#timeline.now;
  }

  #rebase(): void {
    this.#localAt = this.monotonic();
    this.#worldAt = this.#timeline.now;
  }
}
