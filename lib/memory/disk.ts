// A disk in memory that can be told to misbehave: one node's log, state and witness, and every fault that the checks
// above the ports are there for.
import type { SpaceProbe, WitnessFile } from "../replica/ports.ts";
import { CommitQueue } from "./commit-queue.ts";
import { LogImage, MemoryLogTable } from "./log-table.ts";
import { MemoryStateStore, StateImage } from "./state-store.ts";

export type DiskFile = "log" | "state";

export type MemoryDiskOptions = {
  /** Told of every commit; calls `run` when that is to complete: at once (the default), later, or never. */
  readonly complete?: (file: DiskFile, run: () => void) => void;
};

export type CrashOptions = {
  /** Asked for each commit under way, in order, until it says no: did it reach the platter? Default: none did. */
  readonly survives?: () => boolean;
  /** What becomes of the witness, which is never fsynced. "keep" (default) is a killed process, the others a power failure. */
  readonly witness?: "keep" | "older" | "torn" | "missing";
};

export class MemoryDisk {
  /** Bytes that the space probe reports, whatever is written. */
  freeBytes = Infinity;
  /** Bytes that can still be written: commits use them up, and the one that finds too few fails, as do all after it. */
  leftBytes = Infinity;
  readonly space: SpaceProbe = () => Math.min(this.freeBytes, this.leftBytes);
  readonly #log: LogImage = new LogImage();
  readonly #state: StateImage = new StateImage();
  readonly #queues: Readonly<Record<DiskFile, CommitQueue>>;
  /** Versions of the witness, the newest last. */
  #witness: Uint8Array[] = [];
  /** Grows with each crash: handles of an earlier life are dead. */
  #life = 0;

  constructor(options: MemoryDiskOptions = {}) {
    const complete = options.complete ?? ((_file, run) => run());
    this.#queues = {
      log: new CommitQueue((run) => complete("log", run)),
      state: new CommitQueue((run) => complete("state", run)),
    };
  }

  openLog(): MemoryLogTable {
    return new MemoryLogTable(
      this.#log,
      this.#queues.log,
      this.#sameLife(),
      (bytes) => this.#use("log", bytes),
    );
  }

  openState(): MemoryStateStore {
    return new MemoryStateStore(
      this.#state,
      this.#queues.state,
      this.#sameLife(),
      (bytes) => this.#use("state", bytes),
    );
  }

  openWitness(): MemoryWitness {
    const alive = this.#sameLife();
    return new MemoryWitness(
      () => this.#witness.at(-1) ?? null,
      (bytes) => {
        if (!alive()) throw new Error("the witness is closed");
        this.#witness.push(bytes.slice());
        if (this.#witness.length > 8) this.#witness.shift();
      },
    );
  }

  /** The process or machine dies: what is not durable is gone, open handles are dead, outstanding commits are never heard of. */
  crash({ survives = () => false, witness = "keep" }: CrashOptions = {}): void {
    this.#life++;
    this.#queues.log.crash(survives);
    this.#state.undo(this.#state.takeBefore());
    this.#queues.state.crash(survives);
    const newest = this.#witness.at(-1);
    if (newest === undefined) return;
    if (witness === "missing") this.#witness = [];
    else if (witness === "older") {
      this.#witness = this.#witness.slice(0, Math.max(1, this.#witness.length - 2));
    } else if (witness === "torn") this.#witness = [newest.slice(0, newest.byteLength >> 1)];
  }

  /** Commits stop completing until `resume`. */
  stall(file: DiskFile): void {
    this.#queues[file].stall();
  }

  resume(file: DiskFile): void {
    this.#queues[file].resume();
  }

  /** Commits asked for and not completed. */
  outstanding(file: DiskFile): number {
    return this.#queues[file].length;
  }

  /** The `nth` commit of a file from now on (1 = the next) fails, and all after it until a crash. */
  failCommit(file: DiskFile, nth: number, error: Error = new Error("simulated I/O error")): void {
    this.#queues[file].failNth(nth, error);
  }

  /** Flips a bit of a log row. False when there is no such row. */
  flipLogRow(index: number, bit: number): boolean {
    const at = index - this.#log.first;
    const row = this.#log.rows[at];
    if (!row || row.byteLength === 0) return false;
    this.#log.rows[at] = flipped(row, bit);
    return true;
  }

  /** Flips a bit of a named value of the log file. */
  flipLogMeta(name: string, bit: number): boolean {
    const value = this.#log.meta.get(name);
    if (value === undefined) return false;
    this.#log.meta.set(name, flipped(value, bit));
    return true;
  }

  /** Flips a bit of the `nth` state row (from 0, in key order), live and durable. */
  flipStateRow(nth: number, bit: number): boolean {
    let at = 0;
    for (
      const [key, value] of this.#state.rows.scan({ start: new Uint8Array(0), end: null, limit: nth + 1 })
    ) {
      if (at++ < nth || value.byteLength === 0) continue;
      this.#state.rows.put(key, flipped(value, bit));
      return true;
    }
    return false;
  }

  flipStateRecord(bit: number): boolean {
    if (this.#state.record === null) return false;
    this.#state.record = flipped(this.#state.record, bit);
    return true;
  }

  flipWitness(bit: number): boolean {
    const newest = this.#witness.at(-1);
    if (newest === undefined) return false;
    this.#witness = [flipped(newest, bit)];
    return true;
  }

  /** A row of the log vanishes without a trace. */
  removeLogRow(index: number): boolean {
    const at = index - this.#log.first;
    if (!this.#log.rows[at]) return false;
    this.#log.rows[at] = null;
    return true;
  }

  removeLogMeta(name: string): boolean {
    return this.#log.meta.delete(name);
  }

  removeStateRow(key: Uint8Array): boolean {
    return this.#state.rows.delete(key);
  }

  /** The log forgets its last durable commits (a flipped bit in the middle of a WAL); the witness does not. Returns how many. */
  loseLastLogCommits(count: number): number {
    return this.#log.loseLastCommits(count);
  }

  /** All is gone, as with a new disk. Crash first if something is open. */
  wipe(): void {
    this.#log.wipe();
    this.#state.wipe();
    this.#witness = [];
  }

  /** Only the applied state is gone. */
  wipeState(): void {
    this.#state.wipe();
  }

  #use(file: DiskFile, bytes: number): void {
    if (bytes <= this.leftBytes) this.leftBytes -= bytes;
    else this.#queues[file].failNth(this.#queues[file].length + 1, new Error("the disk is full"));
  }

  #sameLife(): () => boolean {
    const life = this.#life;
    return () => life === this.#life;
  }
}

/** Made by MemoryDisk.openWitness. */
export class MemoryWitness implements WitnessFile {
  readonly #read: () => Uint8Array | null;
  readonly #write: (bytes: Uint8Array) => void;

  constructor(read: () => Uint8Array | null, write: (bytes: Uint8Array) => void) {
    this.#read = read;
    this.#write = write;
  }

  read(): Uint8Array | null {
    return this.#read();
  }

  write(bytes: Uint8Array): void {
    this.#write(bytes);
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  const at = (bit >>> 3) % copy.byteLength;
  copy[at] = copy[at]! ^ (1 << (bit & 7));
  return copy;
}
