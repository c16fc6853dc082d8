// A new name is on disk only when its folder was fsynced after it was made (etcd#6368, #6378): when that happens, what is there
// by then, and that it really is the folder that is synced.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { existsSync, fstatSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDataFolder, openLogFile, openStateFile, setAside, syncFolder } from "../../lib/storage/mod.ts";
import { inFolder } from "./support.ts";

describe("a folder is fsynced", () => {
  test("for every folder that was made, up to the one that was there", () =>
    inFolder((top) => {
      const synced: string[] = [];
      const folder = openDataFolder(join(top, "a", "b"), (at) => {
        assert(existsSync(join(top, "a", "b")), "before it was made");
        synced.push(at);
      });
      assertEquals(synced, [folder, join(top, "a"), top]);
      openDataFolder(folder, () => {
        throw new Error("nothing was made");
      });
    }));

  for (const [name, open] of [["log", openLogFile], ["state", openStateFile]] as const) {
    test(`once ${name}.sqlite and its write-ahead log are in it, before anything is promised`, () =>
      inFolder((folder) => {
        const seen: string[][] = [];
        const port = open(folder, { sync: (at) => seen.push([at, ...readdirSync(at).sort()]) });
        port.close();
        assertEquals(seen.map((names) => names.slice(0, 2)), [[folder, `${name}.sqlite`]]);
        assert(seen[0]?.includes(`${name}.sqlite-wal`));
      }));
  }

  test("when a corrupt file has been set aside, under its new name", () =>
    inFolder((folder) => {
      writeFileSync(join(folder, "log.sqlite"), "broken");
      const seen: string[][] = [];
      setAside(folder, "log", (at) => seen.push([at, ...readdirSync(at)]));
      assertEquals(seen, [[folder, "log.sqlite.corrupt-1"]]);
    }));

  test("really, and not something else", () =>
    inFolder((folder) => {
      if (process.platform === "win32") return;
      const inodes: number[] = [];
      syncFolder(folder, (handle) => inodes.push(fstatSync(handle).ino));
      assertEquals(inodes, [statSync(folder).ino]);
      syncFolder(folder);
      assertThrows(() => syncFolder(join(folder, "missing")));
    }));
});
