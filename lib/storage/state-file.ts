// state.sqlite: the applied state as an ordered byte store. Its write transaction stays open from commit to commit; the
// one connection reads its own writes.
import type { Database } from "bun:sqlite";
import type { ScanRange, StateStore } from "../replica/ports.ts";
import { Checkpointer } from "./checkpoint.ts";
import { readError, storageError, storedBytes } from "./errors.ts";
import { type FileOptions, openPort, type SqliteFile } from "./sqlite.ts";

export const stateFile: SqliteFile = {
  name: "state.sqlite",
  applicationId: 0x436f7253,
  format: 1,
  schema: [
    "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
  ],
  exclusive: false,
  synchronous: "FULL",
  // Larger than what is written between two commits, as a rule: pages that do not fit are written twice.
  cacheKiB: 32 * 1024,
};

/** Open the log file first: its lock guards the folder. Throws a StorageError. */
export function openStateFile(folder: string, options: FileOptions = {}): StateStore {
  return openPort(
    folder,
    stateFile,
    options,
    (database, path) => new SqliteStateStore(database, path, options),
  );
}

type Row = { readonly key: Uint8Array; readonly value: Uint8Array };
type StoredRow = { readonly key: unknown; readonly value: unknown };

/** A scan reads by pages of about so many bytes: no cursor stays open, and large values do not pile up. */
const scanPageBytes = 256 * 1024;

class SqliteStateStore implements StateStore {
  readonly #database: Database;
  readonly #path: string;
  readonly #checkpointer: Checkpointer;
  readonly #statements: ReturnType<typeof prepare>;
  #failed: Error | null = null;
  /** Since the last commit. */
  #writtenBytes = 0;
  #writes = 0;

  constructor(database: Database, path: string, { onFailed }: FileOptions) {
    this.#database = database;
    this.#path = path;
    this.#checkpointer = new Checkpointer(database, path, (error) => onFailed?.(error));
    this.#statements = prepare(database);
    this.#using(() => this.#statements.begin.run());
  }

  get(key: Uint8Array): Uint8Array | null {
    const row = this.#using(() => this.#statements.get.get(key));
    return row ? storedBytes(this.#path, row.value) : null;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#using(() => this.#statements.put.run(key, value));
    this.#writtenBytes += key.byteLength + value.byteLength;
    this.#writes++;
  }

  delete(key: Uint8Array): boolean {
    this.#writes++;
    return this.#using(() => this.#statements.delete.run(key).changes > 0);
  }

  *scan(
    { start, end, reverse = false, limit = Infinity }: ScanRange,
  ): Iterable<readonly [Uint8Array, Uint8Array]> {
    let from = start;
    let until = end;
    let pageRows = 16;
    for (let left = limit; left > 0;) {
      const count = Math.min(left, pageRows);
      const rows = this.#page(from, until, reverse, count);
      let bytes = 0;
      for (const { key, value } of rows) {
        bytes += key.byteLength + value.byteLength;
        yield [key, value];
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < count) return;
      left -= rows.length;
      if (reverse) until = last.key;
      else from = successor(last.key);
      pageRows = Math.max(1, Math.min(1024, Math.floor(scanPageBytes * rows.length / (bytes + 1))));
    }
  }

  record(): Uint8Array | null {
    const row = this.#using(() => this.#statements.record.get());
    return row ? storedBytes(this.#path, row.value) : null;
  }

  commit(record: Uint8Array, done: (error: Error | null) => void): void {
    this.#failed ??= this.#commit(record);
    done(this.#failed);
  }

  /** What was not committed is lost, as with a crash. */
  close(): void {
    if (this.#database.inTransaction && this.#failed === null) this.#statements.rollback.run();
    this.#checkpointer.close();
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#database.close();
  }

  #commit(record: Uint8Array): Error | null {
    const { putRecord, commit, begin } = this.#statements;
    try {
      putRecord.run(record);
      commit.run();
      // Between two transactions is the only moment for it. A random row costs a page of its own.
      if (this.#checkpointer.add(this.#writtenBytes, this.#writes / 2)) this.#checkpointer.now();
      this.#writtenBytes = 0;
      this.#writes = 0;
      begin.run();
      return this.#checkpointer.failed;
    } catch (error) {
      return storageError(this.#path, error);
    }
  }

  #page(start: Uint8Array, end: Uint8Array | null, reverse: boolean, count: number): readonly Row[] {
    const { forward, forwardAll, backward, backwardAll } = this.#statements;
    const rows = this.#using(() =>
      end === null
        ? (reverse ? backwardAll : forwardAll).all(start, count)
        : (reverse ? backward : forward).all(start, end, count)
    );
    return rows.map(({ key, value }) => ({
      key: storedBytes(this.#path, key),
      value: storedBytes(this.#path, value),
    }));
  }

  #using<T>(use: () => T): T {
    if (this.#failed !== null) throw this.#failed;
    try {
      return use();
    } catch (error) {
      throw readError(this.#path, error);
    }
  }
}

/** The smallest key greater than `key`. */
function successor(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.byteLength + 1);
  next.set(key);
  return next;
}

function prepare(database: Database) {
  const page = (where: string, order: string) =>
    `SELECT key, value FROM rows WHERE ${where} ORDER BY key ${order} LIMIT ?`;
  return {
    get: database.prepare<{ value: unknown }, [Uint8Array]>("SELECT value FROM rows WHERE key = ?"),
    put: database.prepare<unknown, [Uint8Array, Uint8Array]>(
      "INSERT INTO rows (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    ),
    delete: database.prepare<unknown, [Uint8Array]>("DELETE FROM rows WHERE key = ?"),
    forward: database.prepare<StoredRow, [Uint8Array, Uint8Array, number]>(
      page("key >= ? AND key < ?", "ASC"),
    ),
    forwardAll: database.prepare<StoredRow, [Uint8Array, number]>(page("key >= ?", "ASC")),
    backward: database.prepare<StoredRow, [Uint8Array, Uint8Array, number]>(
      page("key >= ? AND key < ?", "DESC"),
    ),
    backwardAll: database.prepare<StoredRow, [Uint8Array, number]>(page("key >= ?", "DESC")),
    record: database.prepare<{ value: unknown }, []>("SELECT value FROM meta WHERE name = 'record'"),
    putRecord: database.prepare<unknown, [Uint8Array]>(
      "INSERT INTO meta (name, value) VALUES ('record', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    begin: database.prepare<unknown, []>("BEGIN IMMEDIATE"),
    commit: database.prepare<unknown, []>("COMMIT"),
    rollback: database.prepare<unknown, []>("ROLLBACK"),
  };
}
