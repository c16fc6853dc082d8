// Makes commits durable outside SQLite: with synchronous=NORMAL a commit only writes to the write-ahead log, and this
// file's fdatasync takes the place of the one that FULL would do inside COMMIT, where it would keep the event loop from
// everything else for as long as the disk takes. All commits made while one sync is under way share the next one.
//
// It is the same promise: what was committed before a sync began is on the disk when it ends. Checkpoints still sync on
// their own (NORMAL does that), so that no page is copied back before its log is durable.
import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { storageError } from "./errors.ts";

type Done = (error: Error | null) => void;

/** A disk that syncs faster than this, in ms, is waited for: going through another thread would take longer. */
const fastMs = 0.25;

export class WalSync {
  readonly #path: string;
  #descriptor: number | null = null;
  #waiting: Done[] = [];
  #busy = false;
  /** Moving average of one sync, ms. */
  #usualMs = 1;
  #failed: Error | null = null;
  #closing = false;

  /** `path` of the -wal file: there since the first commit, and the same file as long as the database is open. */
  constructor(path: string) {
    this.#path = path;
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
    const began = performance.now();
    try {
      this.#descriptor ??= openSync(this.#path, "r+");
      if (this.#usualMs >= fastMs) {
        fdatasync(this.#descriptor, (error) => this.#finished(sharing, began, error));
        return;
      }
      fdatasyncSync(this.#descriptor);
      this.#finished(sharing, began, null);
    } catch (error) {
      this.#finished(sharing, began, error);
    }
  }

  #finished(sharing: readonly Done[], began: number, error: unknown): void {
    this.#busy = false;
    this.#usualMs += (performance.now() - began - this.#usualMs) / 16;
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
