// Deadlines of many waiters without a timer each: they hang in lists by the time slice in which they end, leave them at no
// cost, and are swept at each tick.

/** The width of a slice: what a deadline may be late by, beyond the tick, ms. */
const sliceMs = 5;

export abstract class Timed {
  /** Monotonic ms. */
  readonly deadline: number;
  /** Neighbours in the slice's ring; null = in none. */
  before: Timed | null = null;
  after: Timed | null = null;

  constructor(deadline: number) {
    this.deadline = deadline;
  }

  /** Called once when the deadline has passed; it is in no list then. */
  abstract expired(): void;
}

class Ring extends Timed {
  override expired(): void {}
}

export class Deadlines {
  readonly #slices = new Map<number, Ring>();
  /** Every slice below this was swept. */
  #next: number;

  constructor(now: number) {
    this.#next = Math.floor(now / sliceMs);
  }

  add(item: Timed): void {
    const slice = Math.max(this.#next, Math.floor(item.deadline / sliceMs));
    let ring = this.#slices.get(slice);
    if (ring === undefined) {
      ring = new Ring(0);
      ring.before = ring.after = ring;
      this.#slices.set(slice, ring);
    }
    const last = ring.before ?? ring;
    item.before = last;
    item.after = ring;
    last.after = item;
    ring.before = item;
  }

  /** Harmless when it is in no list. */
  remove(item: Timed): void {
    if (item.before !== null) item.before.after = item.after;
    if (item.after !== null) item.after.before = item.before;
    item.before = item.after = null;
  }

  /** Expires everything that ended in a slice before that of `now`. */
  sweep(now: number): void {
    const end = Math.floor(now / sliceMs);
    if (end <= this.#next) return;
    const first = this.#next;
    this.#next = end;
    if (this.#slices.size === 0) return;
    if (end - first <= this.#slices.size + 8) {
      for (let slice = first; slice < end; slice++) this.#expireSlice(slice);
    } else {
      const due = [...this.#slices.keys()].filter((slice) => slice < end).sort((a, b) => a - b);
      for (const slice of due) this.#expireSlice(slice);
    }
  }

  #expireSlice(slice: number): void {
    const ring = this.#slices.get(slice);
    if (ring === undefined) return;
    this.#slices.delete(slice);
    this.#expireAll(ring);
  }

  #expireAll(ring: Ring): void {
    for (let item = ring.after; item !== null && item !== ring; item = ring.after) {
      this.remove(item);
      item.expired();
    }
  }
}
