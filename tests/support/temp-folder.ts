// A folder of one's own for a test, removed afterwards: `await using folder = await tempFolder("log")`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type TempFolder = AsyncDisposable & {
  /** Absolute. */
  readonly path: string;
  remove(): Promise<void>;
};

export async function tempFolder(name = "test"): Promise<TempFolder> {
  const path = await mkdtemp(join(tmpdir(), `coracle-${name}-`));
  const remove = () => rm(path, { recursive: true, force: true });
  return { path, remove, [Symbol.asyncDispose]: remove };
}
