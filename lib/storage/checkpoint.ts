// Copies the write-ahead log back into its file, by hand. SQLite would do it inside the commit that crosses a bound, in
// the way of the acknowledgements that wait for it, and would keep its errors to itself: a failed fsync, tried again,
// "succeeds" without the data (fsyncgate), and the log would then be overwritten.
import type { Database, Statement } from "bun:sqlite";
import { StorageError, storageError } from "./errors.ts";

const pageBytes = 4096;
/** Measured: about 6 ms for 1,000 pages. */
const duePages = 2000;
/** Under unbroken load no pause comes: then it is done at once. */
const overduePages = 4 * duePages;

export class Checkpointer {
  readonly #path: string;
  readonly #onFailed: (error: Error) => void;
  readonly #statement: Statement<{ busy: number }, []>;
  #pages = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Set when a checkpoint failed: nothing that this disk says can be believed any more. */
  failed: Error | null = null;

  /** `onFailed` is told at once: the next commit may be long in coming. */
  constructor(database: Database, path: string, onFailed: (error: Error) => void) {
    this.#path = path;
    this.#onFailed = onFailed;
    this.#statement = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  }

  /** Counts what a commit added, roughly; true when a checkpoint is due. */
  add(bytes: number, commits = 1): boolean {
    this.#pages += Math.ceil(bytes / pageBytes) + 2 * commits;
    return this.#pages >= duePages;
  }

  /** Soon, when those who waited for the commit have been answered; at once when overdue. */
  soon(): void {
    if (this.#pages >= overduePages) return this.now();
    this.#timer ??= setTimeout(() => this.now(), 1);
  }

  /** Must not be called inside a transaction. */
  now(): void {
    this.cancel();
    if (this.failed !== null) return;
    try {
      this.#statement.get();
    } catch (error) {
      const known = storageError(this.#path, error);
      // A full disk harms nothing: what is in the write-ahead log stays there.
      if (!(known instanceof StorageError && known.trouble === "full")) {
        this.failed = known;
        this.#onFailed(known);
      }
    }
    this.#pages = 0;
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  close(): void {
    this.cancel();
    this.#statement.finalize();
  }
}
