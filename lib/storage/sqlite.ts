// Opening one of our SQLite files: write-ahead log, full fsyncs, and the marks that tell whose file it is.
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { StorageError, storageError } from "./errors.ts";
import { type FolderSync, syncFolder } from "./folder.ts";

export type SqliteFile = {
  readonly name: string;
  /** SQLite's application_id: four letters. */
  readonly applicationId: number;
  /** user_version: the only format that this version writes and reads. */
  readonly format: number;
  readonly schema: readonly string[];
  /** Hold the file's lock as long as it is open: nobody else can even read. */
  readonly exclusive: boolean;
  /** FULL: one fsync inside each commit. NORMAL: none there, whoever commits syncs the write-ahead log (wal-sync.ts). */
  readonly synchronous: "FULL" | "NORMAL";
  /** Page cache in KiB. */
  readonly cacheKiB: number;
};

/** Throws a StorageError with a sentence for people. */
function openSqlite(folder: string, file: SqliteFile, sync: FolderSync): Database {
  const path = join(folder, file.name);
  let database: Database | null = null;
  try {
    database = new Database(path, { create: true, readwrite: true, strict: true });
    if (file.exclusive) database.run("PRAGMA locking_mode = exclusive");
    // The fullfsync pair matters on macOS, where fsync alone stops at the drive's cache.
    database.run("PRAGMA journal_mode = WAL");
    database.run(`PRAGMA synchronous = ${file.synchronous}`);
    database.run("PRAGMA fullfsync = ON");
    database.run("PRAGMA checkpoint_fullfsync = ON");
    // Ours run at moments we choose, and their errors are seen (checkpoint.ts).
    database.run("PRAGMA wal_autocheckpoint = 0");
    database.run("PRAGMA journal_size_limit = 67108864");
    database.run(`PRAGMA cache_size = -${file.cacheKiB}`);
    database.run("BEGIN IMMEDIATE");
    claim(database, path, file);
    database.run("COMMIT");
    // Of the file and of its write-ahead log.
    sync(folder);
    return database;
  } catch (error) {
    database?.close();
    const known = storageError(path, error);
    if (known instanceof StorageError && known.trouble === "locked") {
      throw new StorageError(
        "locked",
        `The data folder ${folder} is in use by another process; stop that one first`,
        error,
      );
    }
    throw known;
  }
}

export type FileOptions = {
  /** Told of a failure that no call was there to be told of, a checkpoint's: the process must end. */
  readonly onFailed?: (error: Error) => void;
  /** How the folder's own entries are made durable; a test's may watch. */
  readonly sync?: FolderSync;
};

/** Opens the file and makes a port of it; closes it again when that fails. */
export function openPort<Port>(
  folder: string,
  file: SqliteFile,
  { sync = syncFolder }: FileOptions,
  make: (database: Database, path: string) => Port,
): Port {
  const database = openSqlite(folder, file, sync);
  const path = join(folder, file.name);
  try {
    return make(database, path);
  } catch (error) {
    database.close();
    throw storageError(path, error);
  }
}

/** Makes the tables in a new file; refuses a file that is not ours. */
function claim(database: Database, path: string, { applicationId, format, schema }: SqliteFile): void {
  const foundId = pragma(database, "application_id");
  const foundFormat = pragma(database, "user_version");
  const tables =
    database.query<{ count: number }, []>("SELECT count(*) AS count FROM sqlite_schema").get()?.count ?? 0;
  if (foundId === 0 && foundFormat === 0 && tables === 0) {
    for (const statement of schema) database.run(statement);
    database.run(`PRAGMA application_id = ${applicationId}`);
    database.run(`PRAGMA user_version = ${format}`);
    return;
  }
  if (foundId !== applicationId) {
    throw new StorageError("foreign", `${path} was made by another program; give another data folder`);
  }
  if (foundFormat < format) {
    throw new StorageError(
      "foreign",
      `${path} was written by an older version (format ${foundFormat}, this one knows ${format}); ` +
        "start that version and export with it, then import into a new folder",
    );
  }
  if (foundFormat > format) {
    throw new StorageError(
      "foreign",
      `${path} was written by a newer version (format ${foundFormat}, this one knows ${format}); start that version`,
    );
  }
}

function pragma(database: Database, name: string): number {
  const row = database.query<Record<string, number>, []>(`PRAGMA ${name}`).get();
  return row?.[name] ?? 0;
}
