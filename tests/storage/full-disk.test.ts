// A disk that is full for real: a small tmpfs. Needs root; elsewhere it says so and does nothing.
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freeSpace, openLogFile, openStateFile, StorageError, witnessFile } from "../../lib/storage/mod.ts";
import { allEntries, appended, entry, inFolder, soundLog, soundState, text } from "./support.ts";

const hardState = { currentTerm: 1, votedFor: null, withholdMs: 0 };

/** Calls `use` with a folder on a disk of 4 MiB, or says why it cannot. */
function onSmallDisk(use: (folder: string) => void | Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    const mounted = join(folder, "disk");
    mkdirSync(mounted);
    const mount = Bun.which("mount") === null
      ? null
      : Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mounted]);
    if (mount === null || mount.exitCode !== 0) {
      console.log(`skipped: no tmpfs can be mounted here (${mount?.stderr.toString().trim() ?? "no mount"})`);
      return;
    }
    try {
      await use(mounted);
    } finally {
      Bun.spawnSync(["umount", mounted]);
    }
  });
}

test("a full disk fails the append as full, loses nothing, and the log opens again while it is full", () =>
  onSmallDisk(async (folder) => {
    const log = soundLog(openLogFile(folder), witnessFile(folder));
    const space = freeSpace(folder);
    const before = space();
    let acknowledged = 0;
    let failure: Error | null = null;
    await appended(log, [entry(++acknowledged, 1)], hardState);
    for (let index = 2; failure === null && index < 200; index++) {
      await appended(log, [entry(index, 1, "x".repeat(64 * 1024))]).then(
        () => acknowledged = index,
        (error) => failure = error,
      );
    }
    assert((failure as Error | null) instanceof StorageError);
    assertEquals((failure as StorageError | null)?.trouble, "full");
    assert(acknowledged > 5);
    assert(space() < before / 4);
    let again: Error | null = null;
    log.append({ hardState, entries: [], configurations: null }, (error) => again = error);
    assert(again !== null, "the log is not used any more");
    log.close();

    const reopened = soundLog(openLogFile(folder), witnessFile(folder));
    assertEquals(reopened.last().index, acknowledged);
    assertEquals(allEntries(reopened).length, acknowledged);
    reopened.close();
  }));

test("a full disk fails the state's commit as full, and what was committed stays", () =>
  onSmallDisk((folder) => {
    const state = soundState(openStateFile(folder));
    let committed = 0;
    let failure: Error | null = null;
    for (let index = 1; failure === null && index < 200; index++) {
      try {
        state.store.put(text(`key ${index}`), new Uint8Array(64 * 1024).fill(index));
        state.advance(index, 1, 0);
        state.commit((error) => {
          if (error === null) committed = index;
          else failure = error;
        });
      } catch (error) {
        failure = error as Error;
      }
    }
    assertEquals((failure as StorageError | null)?.trouble, "full");
    assert(committed > 5);
    state.close();
    const again = soundState(openStateFile(folder));
    assertEquals(again.applied().appliedIndex, committed);
    assertEquals(again.verify(), null);
    again.close();
  }));
