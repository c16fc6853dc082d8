// The log table in memory: an image of what is on the platter, and the handle that one process has on it.
import type { LogBatch, LogRow, LogTable } from "../replica/ports.ts";
import type { CommitQueue } from "./commit-queue.ts";

/** How many of the last commits can be taken back by loseLastCommits. */
const maxHistory = 64;

type Undo = {
  readonly keep: number;
  readonly removed: readonly (Uint8Array | null)[];
  readonly meta: readonly (readonly [string, Uint8Array | null])[];
};

/** What is durable. */
export class LogImage {
  /** rows[i] is row `first` + i; null = it vanished. */
  first = 1;
  rows: (Uint8Array | null)[] = [];
  readonly meta = new Map<string, Uint8Array>();
  #history: Undo[] = [];

  apply({ cutFrom, rows, meta, dropTo }: LogBatch): void {
    const keep = cutFrom === null ? this.rows.length : Math.max(0, cutFrom - this.first);
    const removed = this.rows.splice(keep);
    this.#history.push({
      keep,
      removed,
      meta: meta.map(([name]) => [name, this.meta.get(name) ?? null] as const),
    });
    if (this.#history.length > maxHistory) this.#history.shift();
    for (const { index, bytes } of rows) {
      if (this.rows.length === 0) this.first = index;
      if (index !== this.first + this.rows.length) throw new Error(`row ${index} leaves a gap`);
      this.rows.push(bytes);
    }
    for (const [name, value] of meta) this.meta.set(name, value);
    if (dropTo !== null && dropTo >= this.first) {
      this.rows.splice(0, dropTo - this.first + 1);
      this.first = dropTo + 1;
      this.#history = [];
    }
  }

  /** Takes back the last commits, as SQLite does with a WAL that has a flipped bit in its middle. Returns how many. */
  loseLastCommits(count: number): number {
    let lost = 0;
    for (; lost < count; lost++) {
      const undo = this.#history.pop();
      if (undo === undefined) break;
      this.rows.splice(undo.keep, Infinity, ...undo.removed);
      for (const [name, value] of undo.meta) {
        if (value === null) this.meta.delete(name);
        else this.meta.set(name, value);
      }
    }
    return lost;
  }

  wipe(): void {
    this.first = 1;
    this.rows = [];
    this.meta.clear();
    this.#history = [];
  }
}

/** One process's handle; dead after a crash. Made by MemoryDisk.openLog. */
export class MemoryLogTable implements LogTable {
  readonly #image: LogImage;
  readonly #queue: CommitQueue;
  readonly #alive: () => boolean;
  readonly #use: (bytes: number) => void;
  #closed = false;

  /** `use` is told what a commit is about to add to the disk. */
  constructor(image: LogImage, queue: CommitQueue, alive: () => boolean, use: (bytes: number) => void) {
    this.#image = image;
    this.#queue = queue;
    this.#alive = alive;
    this.#use = use;
  }

  meta(name: string): Uint8Array | null {
    this.#check();
    return this.#image.meta.get(name) ?? null;
  }

  bounds(): { readonly first: number; readonly last: number } | null {
    this.#check();
    const { first, rows } = this.#image;
    const from = rows.findIndex((row) => row !== null);
    return from < 0 ? null : { first: first + from, last: first + rows.findLastIndex((row) => row !== null) };
  }

  rows(from: number, to: number, maxBytes: number): readonly LogRow[] {
    this.#check();
    const { first, rows } = this.#image;
    const found: LogRow[] = [];
    let size = 0;
    for (let index = Math.max(from, first); index <= to && index < first + rows.length; index++) {
      const bytes = rows[index - first];
      if (!bytes) continue;
      found.push({ index, bytes });
      size += bytes.byteLength;
      if (size >= maxBytes) break;
    }
    return found;
  }

  commit(batch: LogBatch, done: (error: Error | null) => void): void {
    this.#check();
    this.#use(batch.rows.reduce((sum, { bytes }) => sum + bytes.byteLength, 0));
    this.#queue.submit(() => this.#image.apply(batch), () => {}, done);
  }

  close(): void {
    this.#closed = true;
  }

  #check(): void {
    if (this.#closed || !this.#alive()) throw new Error("the log table is closed");
  }
}
