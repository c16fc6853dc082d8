// The data folder: made durably, for its owner only; and what to do with a file in it that lies.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { SpaceProbe } from "../replica/ports.ts";
import { StorageError } from "./errors.ts";

/** Makes the names in a folder durable. Given by tests only: whether a name survives a power failure shows nowhere else. */
export type FolderSync = (folder: string) => void;

/** Makes the folder where it does not exist, with all its parents. Returns its absolute path; throws a StorageError. */
export function openDataFolder(path: string, sync: FolderSync = syncFolder): string {
  const folder = resolve(path);
  try {
    const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!statSync(folder).isDirectory()) throw new StorageError("unwritable", `${folder} is not a folder`);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (made !== undefined) syncMade(folder, made, sync);
    return folder;
  } catch (error) {
    throw folderError(folder, error);
  }
}

/** A new folder is there after a power failure only when the folder that names it was fsynced (etcd#6368). */
function syncMade(folder: string, firstMade: string, sync: FolderSync): void {
  for (let at = folder;; at = dirname(at)) {
    sync(at);
    if (at === dirname(at) || at === dirname(firstMade)) return;
  }
}

export function syncFolder(folder: string, fsync: (handle: number) => void = fsyncSync): void {
  if (process.platform === "win32") return; // Windows opens no folders; NTFS journals names by itself.
  const handle = openSync(folder, constants.O_RDONLY);
  try {
    fsync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Asks the file system at each call (some microseconds). */
export function freeSpace(folder: string): SpaceProbe {
  return () => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
}

/**
 * Renames a corrupt file, and what belongs to it, to `….corrupt-N`, durably, so that it can be looked at and a new one be
 * made. It must be closed. Returns the new name.
 */
export function setAside(folder: string, file: "log" | "state", sync: FolderSync = syncFolder): string {
  const name = `${file}.sqlite`;
  let number = 1;
  while (existsSync(join(folder, `${name}.corrupt-${number}`))) number++;
  const aside = `${name}.corrupt-${number}`;
  // The witness goes last: as long as it is there, a log that is half gone is still found out.
  const moves = [["-wal", "-wal"], ["-shm", "-shm"], ["", ""]].map(([from, to]) =>
    [name + from, aside + to] as const
  );
  if (file === "log") moves.push(["witness", `witness.corrupt-${number}`]);
  try {
    for (const [from, to] of moves) {
      if (existsSync(join(folder, from))) renameSync(join(folder, from), join(folder, to));
    }
    sync(folder);
  } catch (error) {
    throw folderError(folder, error);
  }
  return join(folder, aside);
}

/** Names of the logs that were set aside in this folder. */
export function logsSetAside(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^log\.sqlite\.corrupt-\d+$/.test(name)).sort();
}

function folderError(folder: string, error: unknown): Error {
  if (error instanceof StorageError) return error;
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return new StorageError(
        "unwritable",
        `The data folder ${folder} cannot be written: no permission`,
        error,
      );
    case "EROFS":
      return new StorageError(
        "unwritable",
        `The data folder ${folder} is on a disk that is mounted read-only`,
        error,
      );
    case "EEXIST":
    case "ENOTDIR":
      return new StorageError("unwritable", `The data folder ${folder} is not a folder`, error);
    case "ENOSPC":
    case "EDQUOT":
      return new StorageError("full", `The data folder ${folder} cannot be made: the disk is full`, error);
    case "ENOENT":
      return new StorageError("unwritable", `The data folder ${folder} cannot be made there`, error);
    case "ENAMETOOLONG":
      return new StorageError("unwritable", `The data folder ${folder} has too long a name`, error);
    default:
      if (!(error instanceof Error) || typeof code !== "string") {
        return new Error(String(error), { cause: error });
      }
      return new StorageError(
        "unwritable",
        `The data folder ${folder} cannot be used: ${error.message}`,
        error,
      );
  }
}
