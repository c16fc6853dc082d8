// The witness: a tiny file beside the log, overwritten in place after each commit and never fsynced. What it means is
// explained in lib/replica/durable-log.ts.
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { WitnessFile } from "../replica/ports.ts";

/** Reads null where there is none; errors of the file system are thrown as they are. */
export function witnessFile(folder: string): WitnessFile {
  const path = join(folder, "witness");
  let handle: number | null = null;
  return {
    read() {
      try {
        return new Uint8Array(readFileSync(path));
      } catch (error) {
        if (error instanceof Error && Reflect.get(error, "code") === "ENOENT") return null;
        throw error;
      }
    },
    write(bytes) {
      handle ??= openForWriting(path);
      const written = writeSync(handle, bytes, 0, bytes.byteLength, 0);
      if (written !== bytes.byteLength) {
        throw new Error(`${path}: only ${written} of ${bytes.byteLength} bytes written`);
      }
    },
    close() {
      if (handle !== null) closeSync(handle);
      handle = null;
    },
  };
}

/** Not truncated: between truncating and writing there would be no witness. */
function openForWriting(path: string): number {
  try {
    return openSync(path, "r+");
  } catch (error) {
    if (!(error instanceof Error && Reflect.get(error, "code") === "ENOENT")) throw error;
    return openSync(path, "wx+", 0o600);
  }
}
