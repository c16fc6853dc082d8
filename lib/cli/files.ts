// Files that people name: what cannot be read or written is told in one line.
import { rename, rm, writeFile } from "node:fs/promises";
import { lstatSync, realpathSync } from "node:fs";
import { errorCode, Failure } from "./failure.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: "a part of its path is no folder",
  EISDIR: "it is a folder",
  EACCES: "no permission",
  EPERM: "no permission",
  EROFS: "its disk is mounted read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk is full",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its links lead in a circle",
};

/** What the system has against a file, for people. */
export function fileReason(error: unknown): string {
  return reasons[errorCode(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}

/** In folders that are there: a path with a slip in it is told, not built. Throws a Failure. */
export async function writeNamed(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (error) {
    throw new Failure(`${path} cannot be written: ${fileReason(error)}`);
  }
}

/** A file that takes the place of an older one only when it is whole. */
export type Replacement = {
  write(text: string): Promise<void>;
  /** Everything is written: from now on it is there under its name. */
  finish(): Promise<void>;
  /** What was there before stays. */
  abandon(): Promise<void>;
};

/** Throws a Failure, as its methods do. */
export function openReplacement(path: string): Replacement {
  const place = realPlace(path);
  const partial = place.regular ? `${place.path}.partial-${process.pid}` : place.path;
  const failed = (error: unknown) => new Failure(`${path} cannot be written: ${fileReason(error)}`);
  let writer;
  try {
    writer = Bun.file(partial).writer();
  } catch (error) {
    throw failed(error);
  }
  return {
    async write(text) {
      try {
        writer.write(text);
        await writer.flush();
      } catch (error) {
        throw failed(error);
      }
    },
    async finish() {
      try {
        await writer.end();
        if (place.regular) await rename(partial, place.path);
      } catch (error) {
        throw failed(error);
      }
    },
    async abandon() {
      await Promise.resolve(writer.end()).catch(() => {});
      if (place.regular) await rm(partial, { force: true });
    },
  };
}

/** Where a link leads; a pipe or a device is written to as it is. */
function realPlace(path: string): { readonly path: string; readonly regular: boolean } {
  try {
    const real = realpathSync(path);
    return { path: real, regular: lstatSync(real).isFile() };
  } catch {
    return { path, regular: true };
  }
}
