// The doubly linked list of calls and returns of the operations not yet put in order, by time (Porcupine;
// Lowe, "Testing for linearizability", 2017, §3). What stands before the first return may come next.
import { type Operation, returnTime } from "./history.ts";

const END = -1;

export class EntryList {
  /** Entry 2i is the call of operation i, 2i+1 its return; the head stands for neither. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  /** Where each entry stands in the order of all calls and returns. */
  readonly rank: Int32Array;
  /** Where the call of each unknown operation stands in the same order. */
  readonly unknownRank: Int32Array;

  /** `definite` all have a return; the calls of `unknown` are only given a rank. */
  constructor(
    definite: readonly Operation<unknown, unknown>[],
    unknown: readonly Operation<unknown, unknown>[],
  ) {
    const count = definite.length;
    this.#head = 2 * count;
    this.#next = new Int32Array(2 * count + 1).fill(END);
    this.#previous = new Int32Array(2 * count + 1).fill(END);
    this.rank = new Int32Array(2 * count);
    this.unknownRank = new Int32Array(unknown.length);
    const events: { time: number; isReturn: boolean; entry: number }[] = [];
    definite.forEach((operation, index) => {
      events.push({ time: operation.call, isReturn: false, entry: 2 * index });
      events.push({ time: returnTime(operation), isReturn: true, entry: 2 * index + 1 });
    });
    unknown.forEach((operation, index) => {
      events.push({ time: operation.call, isReturn: false, entry: 2 * count + index });
    });
    // At equal times calls come first: operations that only touch count as concurrent, which accuses nobody falsely.
    events.sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn));
    let last = this.#head;
    events.forEach(({ entry }, rank) => {
      if (entry >= 2 * count) {
        this.unknownRank[entry - 2 * count] = rank;
        return;
      }
      this.rank[entry] = rank;
      this.#next[last] = entry;
      this.#previous[entry] = last;
      last = entry;
    });
  }

  static isReturn(entry: number): boolean {
    return (entry & 1) === 1;
  }

  /** The first entry, or -1. */
  first(): number {
    return this.#next[this.#head] ?? END;
  }

  /** The entry after this one, or -1. */
  after(entry: number): number {
    return this.#next[entry] ?? END;
  }

  /** The first return still in the list, or -1 when all is in order. */
  firstReturn(): number {
    let entry = this.first();
    while (entry !== END && !EntryList.isReturn(entry)) entry = this.after(entry);
    return entry;
  }

  /** Takes an operation out: it has been put in order. */
  lift(operation: number): void {
    this.#unlink(2 * operation);
    this.#unlink(2 * operation + 1);
  }

  /** Undoes the last `lift` that was not yet undone. */
  unlift(operation: number): void {
    this.#relink(2 * operation + 1);
    this.#relink(2 * operation);
  }

  #unlink(entry: number): void {
    const next = this.#next[entry]!, previous = this.#previous[entry]!;
    this.#next[previous] = next;
    if (next !== END) this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    const next = this.#next[entry]!, previous = this.#previous[entry]!;
    this.#next[previous] = entry;
    if (next !== END) this.#previous[next] = entry;
  }
}
