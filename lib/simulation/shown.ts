// What clients have been shown so far, as log indexes: no linearizable read may fall behind it, and no stale read further
// behind than the age that it admits.
import type { NodeClock, Timeline } from "./time.ts";

/** Clocks may differ by so much in rate; a replica that dates its state by its own clock allows for it. */
const drift = 1.1;

export class Shown {
  readonly #timeline: Timeline;
  readonly #clocks: readonly NodeClock[];
  /** Ascending in both. */
  readonly #steps: { readonly at: number; readonly index: number }[] = [{ at: -Infinity, index: 0 }];

  constructor(timeline: Timeline, clocks: readonly NodeClock[]) {
    this.#timeline = timeline;
    this.#clocks = clocks;
  }

  /** The highest index that the ending of any operation has shown. */
  get index(): number {
    return this.#steps[this.#steps.length - 1]?.index ?? 0;
  }

  show(index: number): void {
    if (index > this.index) this.#steps.push({ at: this.#timeline.now, index });
  }

  /** What is wrong with a stale read at `index` that says its age; null = nothing. A clock that stood still excuses it. */
  tooOld(index: number, stalenessMs: number | null, maxStalenessMs: number | null): string | null {
    if (maxStalenessMs !== null && (stalenessMs === null || stalenessMs > maxStalenessMs)) {
      return `${stalenessMs} ms old, asked for at most ${maxStalenessMs}`;
    }
    if (stalenessMs === null) return null;
    const since = this.#timeline.now - stalenessMs * drift - 1;
    if (this.#clocks.some(({ frozenUntil }) => frozenUntil >= since - 10_000)) return null;
    let at = this.#steps.length - 1;
    while ((this.#steps[at]?.at ?? -Infinity) > since) at--;
    const shown = this.#steps[at]?.index ?? 0;
    return index >= shown
      ? null
      : `read at index ${index}, "${stalenessMs} ms old"; ${shown} had been shown by then`;
  }
}
