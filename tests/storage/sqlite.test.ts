// The real files: who may open them, what a changed bit does to them, what is left of them after kill -9.
import { describe, test } from "bun:test";
import { Database } from "bun:sqlite";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { openAppliedState } from "../../lib/replica/applied-state.ts";
import { CorruptStorage } from "../../lib/replica/corruption.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import {
  freeSpace,
  openDataFolder,
  openLogFile,
  openStateFile,
  setAside,
  StorageError,
  witnessFile,
} from "../../lib/storage/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import {
  allEntries,
  appended,
  commitState,
  entriesFrom,
  entry,
  inFolder,
  soundLog,
  soundState,
  text,
} from "./support.ts";

const childPath = join(import.meta.dir, "child.ts");
const hardState = { currentTerm: 1, votedFor: null, withholdMs: 0 };

const logIn = (folder: string) => soundLog(openLogFile(folder), witnessFile(folder));

/** Opens the log of a folder: its entries, or why it is corrupt; anything else is thrown. */
function openedOr(folder: string): { readonly last: number } | { readonly corrupt: string } {
  try {
    const table = openLogFile(folder);
    try {
      const opened = openDurableLog({ table, witness: witnessFile(folder) });
      if (!opened.ok) return { corrupt: opened.corruption.reason };
      assertEquals(allEntries(opened.log), entriesFrom(1, opened.log.last().index, 1));
      return { last: opened.log.last().index };
    } finally {
      table.close();
    }
  } catch (error) {
    if (error instanceof StorageError && error.trouble === "corrupt") return { corrupt: error.message };
    throw error;
  }
}

function flipBit(path: string, bit: number): void {
  const bytes = readFileSync(path);
  const at = bit >>> 3;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  writeFileSync(path, bytes);
}

function copyFolder(from: string, to: string): string {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (statSync(join(from, name)).isFile()) copyFileSync(join(from, name), join(to, name));
  }
  return to;
}

describe("who may open a data folder", () => {
  test("a second process is refused, with the folder in the message, until the first has closed", () =>
    inFolder(async (folder) => {
      const log = logIn(folder);
      await appended(log, [entry(1, 1)], hardState);
      const tryOpen = () => Bun.spawnSync([process.execPath, childPath, "open", folder]).stdout.toString();
      assertMatch(tryOpen(), new RegExp(`^locked: The data folder ${folder} is in use by another process`));
      assertEquals(assertThrows(() => openLogFile(folder), StorageError).trouble, "locked");
      await appended(log, [entry(2, 1)]);
      log.close();
      assertEquals(tryOpen(), "opened 2\n");
    }));

  test("a file of another program, of a newer version, and one that is no database", () =>
    inFolder((folder) => {
      const path = join(folder, "log.sqlite");
      const other = new Database(path);
      other.run("CREATE TABLE theirs (a)");
      other.close();
      assertMatch(assertThrows(() => openLogFile(folder), StorageError).message, /made by another program/);
      writeFileSync(path, "");
      openLogFile(folder).close();
      for (const [format, age] of [[99, "newer"], [1, "older"]]) {
        const database = new Database(path);
        database.run(`PRAGMA user_version = ${format}`);
        database.close();
        const { message } = assertThrows(() => openLogFile(folder), StorageError);
        assertStringIncludes(message, `${age} version (format ${format},`);
      }
      writeFileSync(
        path,
        "this is a shopping list, not a database; it is long enough to be looked at".repeat(20),
      );
      assertEquals(assertThrows(() => openLogFile(folder), StorageError).trouble, "corrupt");
    }));

  test("the folder is made with its parents, for its owner only; a file in its place is refused", () =>
    inFolder((folder) => {
      const made = openDataFolder(join(folder, "a", "b"));
      assertEquals(made, join(folder, "a", "b"));
      assertEquals(statSync(made).mode & 0o777, 0o700);
      assertEquals(openDataFolder(made), made);
      assert(freeSpace(made)() > 0);
      writeFileSync(join(folder, "file"), "");
      assertMatch(
        assertThrows(() => openDataFolder(join(folder, "file")), StorageError).message,
        /is not a folder/,
      );
      assertMatch(
        assertThrows(() => openDataFolder(join(folder, "file", "x")), StorageError).message,
        /is not a folder/,
      );
      if (process.getuid?.() === 0) {
        console.log("skipped: an unwritable folder cannot be made for root");
        return;
      }
      chmodSync(made, 0o500);
      assertMatch(assertThrows(() => openDataFolder(made), StorageError).message, /no permission/);
      chmodSync(made, 0o700);
    }));

  test("a corrupt log is set aside, its witness with it, and a new one can be made", () =>
    inFolder(async (folder) => {
      for (const number of [1, 2]) {
        const log = logIn(folder);
        await appended(log, entriesFrom(1, 3, 1), hardState);
        log.close();
        assertEquals(setAside(folder, "log"), join(folder, `log.sqlite.corrupt-${number}`));
        assert(existsSync(join(folder, `witness.corrupt-${number}`)));
        assert(!existsSync(join(folder, "log.sqlite")));
      }
      const log = logIn(folder);
      assertEquals(log.last().index, 0);
      log.close();
    }));
});

describe("a changed bit", () => {
  test("in the middle of the write-ahead log: SQLite forgets what follows, the witness does not", () =>
    inFolder(async (folder) => {
      const home = join(folder, "home");
      const log = logIn(openDataFolder(home));
      for (let batch = 0; batch < 20; batch++) {
        await appended(log, entriesFrom(1 + batch * 5, 5, 1), hardState);
      }
      const copy = copyFolder(home, join(folder, "sound"));
      assertEquals(openedOr(copy), { last: 100 }, "a copy of the open files is what a crash leaves");
      const walBytes = statSync(join(home, "log.sqlite-wal")).size;
      for (const part of [0.3, 0.5, 0.8]) {
        const hurt = copyFolder(home, join(folder, `hurt ${part}`));
        flipBit(join(hurt, "log.sqlite-wal"), Math.floor(walBytes * part) * 8);
        const found = openedOr(hurt);
        assert("corrupt" in found, `flipped at ${part}: ${JSON.stringify(found)}`);
        assertMatch(found.corrupt, /forgotten what was durable|the witness has seen/);
      }
      const blind = copyFolder(home, join(folder, "blind"));
      flipBit(join(blind, "log.sqlite-wal"), Math.floor(walBytes * 0.5) * 8);
      writeFileSync(join(blind, "witness"), "");
      const found = openedOr(blind);
      assert(
        "last" in found && found.last < 100,
        "without the witness nobody would know: that is what it is for",
      );
      log.close();
    }));

  test("anywhere in log.sqlite: the same entries or corruption, never others", () =>
    inFolder(async (folder) => {
      const home = join(folder, "home");
      const log = logIn(openDataFolder(home));
      await appended(log, entriesFrom(1, 200, 1), hardState);
      log.close();
      const random = seededRandom(printedSeed("bit flips in log.sqlite"));
      const bits = statSync(join(home, "log.sqlite")).size * 8;
      let corrupt = 0;
      for (let round = 0; round < 60; round++) {
        const hurt = copyFolder(home, join(folder, `${round}`));
        const bit = Math.floor(random() * bits);
        flipBit(join(hurt, "log.sqlite"), bit);
        const found = openedOrRefused(hurt);
        if (found === "corrupt") corrupt++;
        else assertEquals(found, 200, `bit ${bit}`);
      }
      assert(corrupt >= 5, `only ${corrupt} of 60 were found; most of the file is entries`);
    }));

  /** A flip in the file's header can also make it another program's, or newer: refused, which is as good. */
  function openedOrRefused(folder: string): number | "corrupt" {
    try {
      const found = openedOr(folder);
      return "last" in found ? found.last : "corrupt";
    } catch (error) {
      assert(error instanceof StorageError, String(error));
      return "corrupt";
    }
  }

  test("anywhere in state.sqlite: verify finds it, or nothing changed", () =>
    inFolder((folder) => {
      const home = openDataFolder(join(folder, "home"));
      const state = soundState(openStateFile(home));
      for (let index = 1; index <= 200; index++) {
        state.store.put(text(`key ${index}`), text(`value ${index} `.repeat(5)));
        state.advance(index, 1, index);
      }
      commitState(state);
      const hash = state.hash();
      state.close();
      const random = seededRandom(printedSeed("bit flips in state.sqlite"));
      const bits = statSync(join(home, "state.sqlite")).size * 8;
      let found = 0;
      for (let round = 0; round < 60; round++) {
        const hurt = copyFolder(home, join(folder, `${round}`));
        flipBit(join(hurt, "state.sqlite"), Math.floor(random() * bits));
        if (stateIsFoundOut(hurt, hash)) found++;
      }
      assert(found >= 5, `only ${found} of 60 were found; most of the file is rows`);
    }));

  function stateIsFoundOut(folder: string, hash: string): boolean {
    try {
      const store = openStateFile(folder);
      try {
        const opened = openAppliedState({ store });
        if (!opened.ok || opened.state.verify() !== null) return true;
        assertEquals(opened.state.hash(), hash);
        assertEquals([...opened.state.store.scan({ start: new Uint8Array(0), end: null })].length, 200);
        return false;
      } finally {
        store.close();
      }
    } catch (error) {
      assert(error instanceof StorageError || error instanceof CorruptStorage, String(error));
      return true;
    }
  }
});

describe("kill -9", () => {
  test("in the middle of commits, again and again: every acknowledged entry is there", () =>
    inFolder(async (folder) => {
      const random = seededRandom(printedSeed("kill -9"));
      let before = 0;
      for (let round = 0; round < 5; round++) {
        const acknowledged = await writeUntilKilled(folder, 5 + Math.floor(random() * 100));
        assert(acknowledged > before, "the child made progress");
        const log = logIn(folder);
        const last = log.last().index;
        assert(last >= acknowledged, `acknowledged ${acknowledged}, found ${last}`);
        assertEquals(allEntries(log), entriesFrom(1, last, 1));
        const state = soundState(openStateFile(folder));
        const applied = state.applied().appliedIndex;
        assert(applied <= last && applied >= acknowledged - 100, `applied ${applied} of ${last}`);
        assertEquals(state.verify(), null);
        state.close();
        log.close();
        before = last;
      }
    }));

  /** Starts a writer, kills it after it has acknowledged so many times; the highest acknowledgement that was heard. */
  async function writeUntilKilled(folder: string, acknowledgements: number): Promise<number> {
    const child = Bun.spawn([process.execPath, childPath, "write", folder], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const deadline = setTimeout(() => child.kill("SIGKILL"), 20_000);
    let heard = "";
    const decoder = new TextDecoder();
    for await (const bytes of child.stdout) {
      heard += decoder.decode(bytes, { stream: true });
      if (heard.split("\n").length > acknowledgements) child.kill("SIGKILL");
    }
    await child.exited;
    clearTimeout(deadline);
    const whole = heard.slice(0, heard.lastIndexOf("\n")).split("\n");
    const last = whole.at(-1)?.match(/^acknowledged (\d+)$/)?.[1];
    if (last === undefined) {
      throw new Error(`the child said ${heard} and ${await new Response(child.stderr).text()}`);
    }
    return Number(last);
  }
});
