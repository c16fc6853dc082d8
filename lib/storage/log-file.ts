// log.sqlite: rows and named values, one fsynced transaction at a time. Its lock is the guard of the whole data folder.
import type { Database } from "bun:sqlite";
import type { LogBatch, LogRow, LogTable } from "../replica/ports.ts";
import { Checkpointer } from "./checkpoint.ts";
import { readError, storageError, storedBytes } from "./errors.ts";
import { type FileOptions, openPort, type SqliteFile } from "./sqlite.ts";
import { type SyncCalls, WalSync } from "./wal-sync.ts";

/** Elsewhere the runtime's fdatasync may promise less than SQLite's own. */
const syncsOutside = process.platform === "linux";

export const logFile: SqliteFile = {
  name: "log.sqlite",
  applicationId: 0x436f724c,
  format: 2,
  schema: [
    "CREATE TABLE entries (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
  ],
  exclusive: true,
  synchronous: syncsOutside ? "NORMAL" : "FULL",
  cacheKiB: 8 * 1024,
};

/** Throws a StorageError: in use by another process, not ours, unwritable, full, corrupt. `calls` are for tests. */
export function openLogFile(folder: string, options: FileOptions & { calls?: SyncCalls } = {}): LogTable {
  return openPort(folder, logFile, options, (database, path) => {
    const walSync = syncsOutside ? new WalSync(`${path}-wal`, options.calls) : null;
    return new SqliteLogTable(database, path, walSync, options);
  });
}

type Bounds = { readonly first: number | null; readonly last: number | null };
type Row = { readonly idx: number; readonly bytes: unknown };

class SqliteLogTable implements LogTable {
  readonly #database: Database;
  readonly #path: string;
  readonly #checkpointer: Checkpointer;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #walSync: WalSync | null;
  #failed: Error | null = null;

  constructor(database: Database, path: string, walSync: WalSync | null, { onFailed }: FileOptions) {
    this.#database = database;
    this.#path = path;
    this.#checkpointer = new Checkpointer(database, path, (error) => {
      this.#failed ??= error;
      onFailed?.(error);
    });
    this.#statements = prepare(database);
    this.#walSync = walSync;
  }

  meta(name: string): Uint8Array | null {
    const row = this.#reading(() => this.#statements.meta.get(name));
    return row ? storedBytes(this.#path, row.value) : null;
  }

  bounds(): { readonly first: number; readonly last: number } | null {
    const { first, last } = this.#reading(() => this.#statements.bounds.get()) ?? { first: null, last: null };
    return first === null || last === null ? null : { first, last };
  }

  rows(from: number, to: number, maxBytes: number): readonly LogRow[] {
    return this.#reading(() => {
      const found: LogRow[] = [];
      let size = 0;
      for (const { idx, bytes: value } of this.#statements.rows.iterate(from, to)) {
        const bytes = storedBytes(this.#path, value);
        found.push({ index: idx, bytes });
        size += bytes.byteLength;
        if (size >= maxBytes) break;
      }
      return found;
    });
  }

  commit(batch: LogBatch, done: (error: Error | null) => void): void {
    this.#failed ??= this.#write(batch);
    if (this.#failed === null && this.#checkpointer.add(sizeOf(batch))) this.#checkpointer.soon();
    if (this.#failed !== null || this.#walSync === null) return done(this.#failed);
    this.#walSync.sync((error) => {
      this.#failed ??= error;
      done(this.#failed);
    });
  }

  close(): void {
    this.#walSync?.close();
    this.#checkpointer.close();
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#database.close();
  }

  #write({ cutFrom, rows, meta, dropTo }: LogBatch): Error | null {
    const { begin, cut, insert, put, drop, commit } = this.#statements;
    try {
      begin.run();
      if (cutFrom !== null) cut.run(cutFrom);
      for (const { index, bytes } of rows) insert.run(index, bytes);
      for (const [name, value] of meta) put.run(name, value);
      if (dropTo !== null) drop.run(dropTo);
      commit.run();
      return null;
    } catch (error) {
      this.#rollback();
      return storageError(this.#path, error);
    }
  }

  /** Some errors have rolled back already, and after any the table is not used again: what this one says changes nothing. */
  #rollback(): void {
    if (!this.#database.inTransaction) return;
    try {
      this.#statements.rollback.run();
    } catch (error) {
      this.#failed = storageError(this.#path, error);
    }
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw readError(this.#path, error);
    }
  }
}

function sizeOf({ rows, meta }: LogBatch): number {
  let size = 0;
  for (const { bytes } of rows) size += bytes.byteLength;
  for (const [, value] of meta) size += value.byteLength;
  return size;
}

function prepare(database: Database) {
  return {
    meta: database.prepare<{ value: unknown }, [string]>("SELECT value FROM meta WHERE name = ?"),
    bounds: database.prepare<Bounds, []>(
      "SELECT (SELECT min(idx) FROM entries) AS first, (SELECT max(idx) FROM entries) AS last",
    ),
    rows: database.prepare<Row, [number, number]>(
      "SELECT idx, bytes FROM entries WHERE idx BETWEEN ? AND ? ORDER BY idx",
    ),
    begin: database.prepare<unknown, []>("BEGIN IMMEDIATE"),
    cut: database.prepare<unknown, [number]>("DELETE FROM entries WHERE idx >= ?"),
    insert: database.prepare<unknown, [number, Uint8Array]>("INSERT INTO entries (idx, bytes) VALUES (?, ?)"),
    put: database.prepare<unknown, [string, Uint8Array]>(
      "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    ),
    drop: database.prepare<unknown, [number]>("DELETE FROM entries WHERE idx <= ?"),
    commit: database.prepare<unknown, []>("COMMIT"),
    rollback: database.prepare<unknown, []>("ROLLBACK"),
  };
}
