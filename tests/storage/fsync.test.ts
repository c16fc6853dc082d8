// Nothing is acknowledged before it is on the disk: what a commit does when the disk refuses or is slow to sync, and which
// calls the system really gets.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdirSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import type { LogTable } from "../../lib/replica/ports.ts";
import { logFile, openLogFile } from "../../lib/storage/log-file.ts";
import { openPort, type SqliteFile } from "../../lib/storage/sqlite.ts";
import { stateFile } from "../../lib/storage/state-file.ts";
import { inFolder, text } from "./support.ts";

/** Where the write-ahead log is synced by us; elsewhere SQLite does it inside COMMIT. */
const syncsOutside = logFile.synchronous === "NORMAL";

function commit(table: LogTable, name: string, told: (Error | null)[]): void {
  const batch = { cutFrom: null, rows: [], meta: [[name, text(name)] as const], dropTo: null };
  table.commit(batch, (error) => told.push(error));
}

describe("a commit of the log", () => {
  test("fails when what holds it cannot be synced, although SQLite could write it, and so do all after it", () =>
    inFolder(async (folder) => {
      if (!syncsOutside) return;
      const table = openLogFile(folder);
      // SQLite goes on in the file that it has open; who opens it by name finds no file.
      rmSync(join(folder, "log.sqlite-wal"));
      mkdirSync(join(folder, "log.sqlite-wal"));
      const told: (Error | null)[] = [];
      commit(table, "first", told);
      commit(table, "second", told);
      while (told.length < 2) await new Promise((resolve) => setImmediate(resolve));
      for (const error of told) assertMatch(error?.message ?? "it was acknowledged", /EISDIR/);
      table.close();
    }));

  test("is not acknowledged before the sync that began after it has ended", () =>
    inFolder((folder) => {
      if (!syncsOutside) return;
      let now = 0;
      const pending: ((error: unknown) => void)[] = [];
      const table = openLogFile(folder, {
        calls: {
          fdatasync: (_descriptor, done) => void pending.push(done),
          fdatasyncSync: () => now += 5,
          now: () => now,
        },
      });
      const told: (Error | null)[] = [];
      commit(table, "measures the disk", told);
      assertEquals(told, [null]);
      commit(table, "first", told);
      // Written while the sync of the first is under way: that one may have missed it.
      commit(table, "second", told);
      assertEquals([told.length, pending.length], [1, 1]);
      pending.shift()?.(null);
      assertEquals([told.length, pending.length], [2, 1]);
      pending.shift()?.(new Error("EIO"));
      assertMatch(told[2]?.message ?? "it was acknowledged", /EIO/);
      table.close();
    }));
});

test("a checkpoint that fails is told when it fails, and the next commit fails too", () =>
  inFolder(async (folder) => {
    const failed = Promise.withResolvers<Error>();
    const table = openLogFile(folder, { onFailed: failed.resolve });
    const told: (Error | null)[] = [];
    const rows = [{ index: 1, bytes: new Uint8Array(10 * 1024 * 1024) }];
    table.commit({ cutFrom: null, rows, meta: [], dropTo: null }, (error) => {
      told.push(error);
      // It is due in a moment, and what it is to copy is gone.
      truncateSync(join(folder, "log.sqlite-wal"), 0);
    });
    assertMatch((await failed.promise).message, /log\.sqlite: the disk reports an error/);
    assertEquals(told, [null]);
    commit(table, "after it", told);
    assertMatch(told[1]?.message ?? "it was acknowledged", /the disk reports an error/);
    table.close();
  }));

describe("synchronous, as SQLite reads it back", () => {
  function synchronous(folder: string, file: SqliteFile): number | undefined {
    let found: number | undefined;
    const database = openPort(folder, file, {}, (database) => {
      found = database.query<{ synchronous: number }, []>("PRAGMA synchronous").get()?.synchronous;
      return database;
    });
    database.close();
    return found;
  }

  test("is FULL for the state, and for the log unless we sync it ourselves", () =>
    inFolder((folder) => {
      assertEquals(synchronous(folder, stateFile), 2);
      assertEquals(synchronous(folder, { ...logFile, synchronous: "FULL" }), 2);
      assertEquals(synchronous(folder, logFile), syncsOutside ? 1 : 2);
      assertEquals(syncsOutside, process.platform === "linux");
    }));
});

test(
  "the system is asked to sync the file before each acknowledgement, and before a state is committed",
  () =>
    inFolder((folder) => {
      const trace = join(folder, "trace");
      const strace = ["-f", "-qq", "-y", "-s", "64", "-e", "trace=fsync,fdatasync,write", "-o", trace];
      const able = Bun.which("strace") !== null &&
        Bun.spawnSync(["strace", ...strace, "true"]).exitCode === 0;
      if (!able) return console.log("skipped: nothing can be traced here");
      const data = join(folder, "data");
      mkdirSync(data);
      const child = [process.execPath, join(import.meta.dir, "child.ts"), "few", data];
      const { exitCode, stderr } = Bun.spawnSync(["strace", ...strace, ...child]);
      assertEquals(exitCode, 0, stderr.toString());
      const synced = { log: 0, state: 0 };
      /** What a thread has begun to sync and not ended. */
      const underWay = new Map<string, "log" | "state" | null>();
      let acknowledged = 0;
      let committed = false;
      for (const line of readFileSync(trace, "utf8").split("\n")) {
        const thread = line.split(" ")[0] ?? "";
        const file = /(log|state)\.sqlite-wal>/.exec(line)?.[1] as "log" | "state" | undefined;
        if (/ (fsync|fdatasync)\(/.test(line)) underWay.set(thread, file ?? null);
        if (/(fsync|fdatasync).*= 0$/.test(line)) {
          const ended = underWay.get(thread) ?? null;
          if (ended !== null) synced[ended]++;
        }
        if (line.includes('"acknowledged ')) {
          assert(synced.log > 0, `nothing was synced before: ${line}`);
          acknowledged++;
          synced.log = 0;
        }
        if (line.includes('"state committed')) committed = synced.state > 0;
        // What was synced while the files were made says nothing of what is committed later.
        if (acknowledged === 0 || line.includes('"acknowledged 20')) synced.state = 0;
      }
      assertEquals([acknowledged, committed], [20, true]);
    }),
  60_000,
);
