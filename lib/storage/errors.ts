// What can go wrong between us and a disk, told apart, with sentences for people.
import { SQLiteError } from "bun:sqlite";
import { CorruptStorage } from "../replica/corruption.ts";

export type StorageTrouble =
  /** Another process holds the folder. */
  | "locked"
  /** The file belongs to another program, or to a newer version of this one. */
  | "foreign"
  /** No such folder, no permission, not a folder, a read-only disk. */
  | "unwritable"
  | "full"
  | "io"
  | "corrupt"
  | "other";

/** The message is one sentence that says what and how to mend it. */
export class StorageError extends Error {
  override name = "StorageError";
  readonly trouble: StorageTrouble;

  constructor(trouble: StorageTrouble, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.trouble = trouble;
  }
}

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that mean something to an operator. */
const troubles: Readonly<Record<number, StorageTrouble>> = {
  1: "corrupt", // ERROR: our statements are fixed, so that only a damaged schema can make one wrong
  3: "unwritable", // PERM
  5: "locked", // BUSY
  6: "locked", // LOCKED
  8: "unwritable", // READONLY
  10: "io", // IOERR
  11: "corrupt", // CORRUPT
  13: "full", // FULL
  14: "unwritable", // CANTOPEN
  26: "corrupt", // NOTADB
};

const sentences: Readonly<Record<StorageTrouble, string>> = {
  locked: "another process is using it; one data folder belongs to one process",
  foreign: "it was made by another program",
  unwritable: "it cannot be written; look at its permissions and whether the disk is mounted read-only",
  full: "the disk is full; free some space and start again",
  io: "the disk reports an error; look at the kernel's log and replace it before starting again",
  corrupt: "it is not a sound database file; its content changed on disk",
  other: "SQLite refuses",
};

/** A StorageError for whatever was thrown while `file` was used; anything but SQLite's errors is returned as it is. */
export function storageError(file: string, error: unknown): Error {
  if (!(error instanceof SQLiteError)) return error instanceof Error ? error : new Error(String(error));
  const trouble = troubles[error.errno & 0xff] ?? "other";
  const code = error.code ?? `SQLite ${error.errno}`;
  return new StorageError(trouble, `${file}: ${sentences[trouble]} (${code}: ${error.message})`, error);
}

/** The same for a read above which the checks of lib/replica stand: they judge corruption themselves. */
export function readError(file: string, error: unknown): Error {
  const known = storageError(file, error);
  return known instanceof StorageError && known.trouble === "corrupt"
    ? new CorruptStorage(known.message)
    : known;
}

/**
 * SQLite keeps a value's type in the row, where a flipped bit turns bytes into a number, a text or null in spite of
 * all that the schema says. Throws CorruptStorage then.
 */
export function storedBytes(file: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new CorruptStorage(`${file} holds something else where bytes were stored`);
}
