// The sync that takes the place of the one inside COMMIT: everybody is told, in order, and a failure is never forgotten.
import { assertEquals } from "@std/assert";
import { test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { WalSync } from "../../lib/storage/wal-sync.ts";
import { inFolder } from "./support.ts";

test("everybody who asks is told, in the order of asking", () =>
  inFolder(async (folder) => {
    const path = join(folder, "wal");
    writeFileSync(path, "something");
    const sync = new WalSync(path);
    const told: number[] = [];
    await Promise.all(Array.from({ length: 50 }, (_, at) =>
      new Promise<void>((resolve, reject) =>
        sync.sync((error) => {
          if (error !== null) return reject(error);
          told.push(at);
          resolve();
        })
      )));
    assertEquals(
      told,
      Array.from({ length: 50 }, (_, at) =>
        at),
    );
    sync.close();
  }));

test("a failed sync fails whoever shared it and all after it, although the file could be written again", () =>
  inFolder(async (folder) => {
    const path = join(folder, "wal");
    const sync = new WalSync(path);
    const ask = () => new Promise<boolean>((resolve) => sync.sync((error) => resolve(error === null)));
    assertEquals(await Promise.all([ask(), ask()]), [false, false]);
    writeFileSync(path, "there is one now");
    assertEquals(await ask(), false);
    sync.close();
  }));
