// The state store in memory: writes are visible at once and durable with a commit; a crash takes back the rest.
import type { OrderedStore, ScanRange, StateStore } from "../replica/ports.ts";
import type { CommitQueue } from "./commit-queue.ts";
import { MemoryOrderedStore } from "./ordered-store.ts";

/** A row as it was before a write; null = it was not there. */
type Before = readonly [key: Uint8Array, value: Uint8Array | null];

/** What is on the platter, and the way back to what is durable there. */
export class StateImage {
  readonly rows: MemoryOrderedStore = new MemoryOrderedStore();
  record: Uint8Array | null = null;
  /** Of the writes since the last commit was asked for, in their order. */
  #before: Before[] = [];

  put(key: Uint8Array, value: Uint8Array): void {
    this.#before.push([key.slice(), this.rows.get(key)]);
    this.rows.put(key, value);
  }

  delete(key: Uint8Array): boolean {
    const value = this.rows.get(key);
    if (value === null) return false;
    this.#before.push([key.slice(), value]);
    return this.rows.delete(key);
  }

  /** The way back over the writes since the last call. */
  takeBefore(): readonly Before[] {
    const before = this.#before;
    this.#before = [];
    return before;
  }

  undo(before: readonly Before[]): void {
    for (let at = before.length - 1; at >= 0; at--) {
      const [key, value] = before[at]!;
      if (value === null) this.rows.delete(key);
      else this.rows.put(key, value);
    }
  }

  wipe(): void {
    this.rows.clear();
    this.record = null;
    this.#before = [];
  }
}

/** One process's handle; dead after a crash. Made by MemoryDisk.openState. */
export class MemoryStateStore implements StateStore {
  readonly #image: StateImage;
  readonly #queue: CommitQueue;
  readonly #alive: () => boolean;
  readonly #use: (bytes: number) => void;
  #closed = false;
  /** Since the last commit. */
  #writtenBytes = 0;

  /** `use` is told what a commit is about to add to the disk. */
  constructor(image: StateImage, queue: CommitQueue, alive: () => boolean, use: (bytes: number) => void) {
    this.#image = image;
    this.#queue = queue;
    this.#alive = alive;
    this.#use = use;
  }

  get(key: Uint8Array): Uint8Array | null {
    return this.#rows().get(key);
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#rows();
    this.#image.put(key, value);
    this.#writtenBytes += key.byteLength + value.byteLength;
  }

  delete(key: Uint8Array): boolean {
    this.#rows();
    return this.#image.delete(key);
  }

  scan(range: ScanRange): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    return this.#rows().scan(range);
  }

  record(): Uint8Array | null {
    this.#rows();
    return this.#image.record;
  }

  commit(record: Uint8Array, done: (error: Error | null) => void): void {
    this.#rows();
    const before = this.#image.takeBefore();
    this.#use(this.#writtenBytes);
    this.#writtenBytes = 0;
    this.#queue.submit(() => this.#image.record = record, () => this.#image.undo(before), done);
  }

  /** What was not committed is lost, as with a crash. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#alive()) this.#image.undo(this.#image.takeBefore());
  }

  #rows(): OrderedStore {
    if (this.#closed || !this.#alive()) throw new Error("the state store is closed");
    return this.#image.rows;
  }
}
