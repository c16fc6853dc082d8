// The log as the core sees it (Raft §5.3): its tail in memory, bounded by bytes; older entries through a reader.
// It knows three ends: the last entry, what was handed out to be persisted, and what is durable.
import { type Entry, entryBytes, type Position } from "./entry.ts";
import type { LogReader } from "./ready.ts";

export class RaftLog {
  readonly #reader: LogReader;
  readonly #maxTailBytes: number;
  /** Entries #first .. lastIndex, without gaps. Everything that is not durable is here. */
  #tail: Entry[] = [];
  #tailBytes = 0;
  #first: number;
  #last: Position;
  #lastTime: number;
  #durableIndex: number;
  /** The next index to hand out for persisting, and the highest that ever was. */
  #persistFrom: number;
  #handedTo: number;
  /** Number of the last Ready that overwrites on disk what an earlier one wrote. */
  #lastRewrite = 0;

  constructor(reader: LogReader, last: Position, lastTime: number, maxTailBytes: number) {
    this.#reader = reader;
    this.#maxTailBytes = maxTailBytes;
    this.#last = last;
    this.#lastTime = lastTime;
    this.#first = last.index + 1;
    this.#durableIndex = last.index;
    this.#persistFrom = last.index + 1;
    this.#handedTo = last.index;
  }

  get last(): Position {
    return this.#last;
  }

  get lastIndex(): number {
    return this.#last.index;
  }

  /** Log time of the last entry, ms. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** Everything up to here survives a crash. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  get tailBytes(): number {
    return this.#tailBytes;
  }

  /** The term of the entry at `index`; 0 for index 0. The entry exists. */
  term(index: number): number {
    if (index === 0) return 0;
    if (index === this.#last.index) return this.#last.term;
    const entry = this.#tail[index - this.#first];
    return entry === undefined ? this.#reader.term(index) : entry.term;
  }

  /** Whether the log has exactly this entry (the consistency check of AppendEntries, §5.3). */
  has(position: Position): boolean {
    return position.index <= this.#last.index && this.term(position.index) === position.term;
  }

  /** Entries from..to (both exist), cut off when `maxBytes` is passed; at least one. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] {
    if (from < this.#first) return this.#reader.entries(from, Math.min(to, this.#first - 1), maxBytes);
    const start = from - this.#first;
    let end = start;
    for (let bytes = 0; end <= to - this.#first; end++) {
      bytes += entryBytes(this.#tail[end]!);
      if (bytes > maxBytes && end > start) break;
    }
    return this.#tail.slice(start, end);
  }

  /** Bytes of the entries from..to as far as they are in memory. */
  bytes(from: number, to: number): number {
    let sum = 0;
    for (let index = Math.max(from, this.#first); index <= to; index++) {
      sum += entryBytes(this.#tail[index - this.#first]!);
    }
    return sum;
  }

  append(entry: Entry): void {
    this.#tail.push(entry);
    this.#tailBytes += entryBytes(entry);
    this.#last = { index: entry.index, term: entry.term };
    this.#lastTime = entry.time;
  }

  /** Cuts off everything from `index` on; the caller has made sure that none of it is committed. */
  truncateFrom(index: number): void {
    if (index > this.#last.index) return;
    const before = index - 1;
    const term = this.term(before);
    this.#lastTime = this.#timeOf(before);
    if (index <= this.#first) {
      this.#tail = [];
      this.#first = index;
      this.#tailBytes = 0;
    } else {
      for (const cut of this.#tail.splice(index - this.#first)) this.#tailBytes -= entryBytes(cut);
    }
    this.#last = { index: before, term };
    this.#durableIndex = Math.min(this.#durableIndex, before);
    this.#persistFrom = Math.min(this.#persistFrom, index);
  }

  /** The entries that nobody was asked to persist yet; they count as handed out with Ready `number` from now on. */
  takeUnpersisted(number: number): readonly Entry[] {
    if (this.#persistFrom > this.#last.index) return [];
    const entries = this.#tail.slice(this.#persistFrom - this.#first);
    if (this.#persistFrom <= this.#handedTo) this.#lastRewrite = number;
    this.#persistFrom = this.#last.index + 1;
    this.#handedTo = this.#last.index;
    return entries;
  }

  hasUnpersisted(): boolean {
    return this.#persistFrom <= this.#last.index;
  }

  /**
   * With Ready `number` the disk holds a log that ends in `last`. Same index and term mean the same entries up to there
   * (log matching, §5.3); a durable end that was cut off or overwritten meanwhile, or that a later Ready is about to
   * overwrite even with the same entries, says nothing new.
   */
  persisted(number: number, last: Position): void {
    if (number < this.#lastRewrite) return;
    if (last.index > this.#durableIndex && this.has(last)) this.#durableIndex = last.index;
  }

  /** Lets go of the oldest entries while the tail is over its bound; never of what is not yet durable and applied. */
  trim(lastApplied: number): void {
    if (this.#tailBytes <= this.#maxTailBytes) return;
    const mayGo = Math.min(this.#durableIndex, lastApplied) - this.#first + 1;
    let gone = 0;
    // Down to three quarters, so that the array is not shifted for every entry.
    for (; gone < mayGo && this.#tailBytes > this.#maxTailBytes * 0.75; gone++) {
      this.#tailBytes -= entryBytes(this.#tail[gone]!);
    }
    if (gone === 0) return;
    this.#tail = this.#tail.slice(gone);
    this.#first += gone;
  }

  /**
   * The largest index ≤ `index` whose term is ≤ `term`: where two logs may agree, skipping whole terms in one step
   * (§5.3, the optimisation at its end). Terms never fall along a log, so that halving finds it: below the tail each
   * look is a read from disk.
   */
  findNotAfter(index: number, term: number): Position {
    let low = 0;
    let high = Math.min(index, this.#last.index);
    if (this.term(high) <= term) low = high;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.term(middle) <= term) low = middle;
      else high = middle - 1;
    }
    return { index: low, term: this.term(low) };
  }

  #timeOf(index: number): number {
    if (index === 0) return 0;
    const entry = this.#tail[index - this.#first] ?? this.#reader.entries(index, index, 0)[0];
    return entry === undefined ? 0 : entry.time;
  }
}
