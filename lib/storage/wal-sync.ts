// Makes commits durable outside SQLite: with synchronous=NORMAL a commit only writes to the write-ahead log, and this
// file's fdatasync takes the place of the one that FULL would do inside COMMIT, where it would keep the event loop from
// everything else for as long as the disk takes. All commits made while one sync is under way share the next one.
//
// It is the same promise: what was committed before a sync began is on the disk when it ends. Checkpoints still sync on
// their own (NORMAL does that), so that no page is copied back before its log is durable.
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { storageError } from "./errors.ts";

type Done = (error: Error | null) => void;

/** The calls that do it and the clock (ms) that measures them: the system's, or a test's. */
export type SyncCalls = {
  fdatasync(descriptor: number, done: (error: unknown) => void): void;
  fdatasyncSync(descriptor: number): void;
  now(): number;
};

const systemCalls: SyncCalls = { fdatasync, fdatasyncSync, now: () => performance.now() };

/** A disk that syncs faster than this, in ms, is waited for: going through another thread would take longer. */
const fastMs = 0.25;
/**
 * Only a sync that is waited for measures the disk; one on another thread also measures how long a busy loop takes to
 * hear of its end. So a slow disk is waited for now and then too, after a pause so many times as long as that took.
 */
const pauseFactor = 99;

export class WalSync {
  readonly #path: string;
  readonly #calls: SyncCalls;
  #descriptor: number | null = null;
  #waiting: Done[] = [];
  #busy = false;
  /** Moving average of one sync that was waited for, ms; null = none was yet. */
  #usualMs: number | null = null;
  /** When the next one is waited for, however slow the disk is. */
  #measureAt = -Infinity;
  #failed: Error | null = null;
  #closing = false;

  /** `path` of the -wal file: there since the first commit, and the same file as long as the database is open. */
  constructor(path: string, calls: SyncCalls = systemCalls) {
    this.#path = path;
    this.#calls = calls;
  }

  /** `done(null)` once everything written to the file before this call is durable; `done(error)` on any failure, then and ever after. */
  sync(done: Done): void {
    if (this.#failed !== null) return done(this.#failed);
    this.#waiting.push(done);
    if (!this.#busy) this.#start();
  }

  /** Nobody is told of a sync that is still under way: as far as they know it never ended. */
  close(): void {
    this.#closing = true;
    if (!this.#busy) this.#release();
  }

  #start(): void {
    const sharing = this.#waiting;
    this.#waiting = [];
    this.#busy = true;
    let failure: unknown = null;
    try {
      this.#descriptor ??= openSync(this.#path, "r+");
      if (this.#isSlow()) {
        this.#calls.fdatasync(this.#descriptor, (error) => this.#finished(sharing, error));
        return;
      }
      const began = this.#calls.now();
      this.#calls.fdatasyncSync(this.#descriptor);
      this.#measured(this.#calls.now() - began);
    } catch (error) {
      failure = error;
    }
    this.#finished(sharing, failure);
  }

  #isSlow(): boolean {
    return this.#usualMs !== null && this.#usualMs >= fastMs && this.#calls.now() < this.#measureAt;
  }

  #measured(tookMs: number): void {
    this.#usualMs = this.#usualMs === null ? tookMs : this.#usualMs + (tookMs - this.#usualMs) / 16;
    this.#measureAt = this.#calls.now() + pauseFactor * tookMs;
  }

  #finished(sharing: readonly Done[], error: unknown): void {
    this.#busy = false;
    if (error !== null && error !== undefined) this.#failed = storageError(this.#path, error);
    if (this.#closing) return this.#release();
    for (const done of sharing) done(this.#failed);
    if (this.#closing || this.#busy || this.#waiting.length === 0) return;
    if (this.#failed === null) return this.#start();
    for (const done of this.#waiting.splice(0)) done(this.#failed);
  }

  #release(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
