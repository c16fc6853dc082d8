// The sync that takes the place of the one inside COMMIT: everybody is told, in order, and a failure is never forgotten.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type SyncCalls, WalSync } from "../../lib/storage/wal-sync.ts";
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

/** A disk that takes `diskMs`, under a loop so busy that it hears of what another thread has done only after `loopMs`. */
function measuredDisk(diskMs: number, loopMs: number) {
  const disk = { now: 0, diskMs, waitedMs: 0, inPlace: 0, beside: 0, ended: null as (() => void) | null };
  const calls: SyncCalls = {
    now: () => disk.now,
    fdatasyncSync: () => {
      disk.now += disk.diskMs;
      disk.waitedMs += disk.diskMs;
      disk.inPlace++;
    },
    fdatasync: (_descriptor, done) => {
      disk.beside++;
      disk.ended = () => {
        disk.now += Math.max(disk.diskMs, loopMs);
        done(null);
      };
    },
  };
  return { disk, calls };
}

function syncs(folder: string, calls: SyncCalls) {
  const path = join(folder, "wal");
  writeFileSync(path, "something");
  return new WalSync(path, calls);
}

test("a fast disk is found fast however busy the loop is, also after it was slow", () =>
  inFolder((folder) => {
    const { disk, calls } = measuredDisk(0.1, 8);
    const sync = syncs(folder, calls);
    const often = (times: number) => {
      for (let at = 0; at < times; at++) {
        sync.sync(() => {});
        disk.ended?.();
        disk.ended = null;
      }
    };
    often(100);
    assertEquals([disk.inPlace, disk.beside], [100, 0]);
    disk.diskMs = 20;
    often(200);
    assert(disk.beside > 150, `${disk.beside} beside the loop`);
    disk.diskMs = 0.1;
    often(1000);
    disk.beside = 0;
    often(100);
    assertEquals(disk.beside, 0);
    sync.close();
  }));

test("a slow disk is waited for a hundredth of the time at most", () =>
  inFolder((folder) => {
    const { disk, calls } = measuredDisk(4, 0);
    const sync = syncs(folder, calls);
    for (let at = 0; at < 5000; at++) {
      sync.sync(() => {});
      disk.ended?.();
      disk.ended = null;
    }
    assert(disk.inPlace > 10, `measured ${disk.inPlace} times`);
    assert(disk.waitedMs <= disk.now / 100 + 4, `${disk.waitedMs} of ${disk.now} ms`);
    sync.close();
  }));
