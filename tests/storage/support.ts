// What the storage tests share: folders that are removed, logs and states that must open, entries to write.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemoryDisk } from "../../lib/memory/mod.ts";
import type { Entry, HardState } from "../../lib/raft/mod.ts";
import { type AppliedState, openAppliedState } from "../../lib/replica/applied-state.ts";
import { type DurableLog, type NodeRecord, openDurableLog } from "../../lib/replica/durable-log.ts";
import type { LogTable, StateStore, WitnessFile } from "../../lib/replica/ports.ts";

/** Calls `use` with a new empty folder and removes it afterwards. */
export async function inFolder<T>(use: (folder: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "coracle-storage-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function textOf(bytes: Uint8Array | null | undefined): string | null {
  return bytes ? new TextDecoder().decode(bytes) : null;
}

export function entry(index: number, term: number, data = `entry ${index} of term ${term}`): Entry {
  return { index, term, time: index * 10, type: "command", data: text(data) };
}

export function entriesFrom(index: number, count: number, term: number): Entry[] {
  return Array.from({ length: count }, (_, at) => entry(index + at, term));
}

export const someNode: NodeRecord = {
  id: "n1",
  incarnation: "abc",
  bootCount: 1,
  clusterId: null,
  record: null,
  started: false,
  peerBoots: {},
};

/** Opens a log that must be sound. */
export function soundLog(table: LogTable, witness: WitnessFile): DurableLog {
  const opened = openDurableLog({ table, witness });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  return opened.log;
}

export function logOn(disk: MemoryDisk): DurableLog {
  return soundLog(disk.openLog(), disk.openWitness());
}

/** Why a log does not open; throws when it does. */
export function corruptionOf(table: LogTable, witness: WitnessFile): string {
  const opened = openDurableLog({ table, witness });
  if (opened.ok) throw new Error("the log opened as if it were sound");
  return opened.corruption.reason;
}

export function soundState(store: StateStore): AppliedState {
  const opened = openAppliedState({ store });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  return opened.state;
}

/** Appends and requires that it completes at once and well. */
export function append(log: DurableLog, entries: readonly Entry[], hardState: HardState | null = null): void {
  let called = false;
  log.append({ hardState, entries, configurations: null }, (error) => {
    if (error !== null) throw error;
    called = true;
  });
  if (!called) throw new Error("the append did not complete");
}

/** Appends and waits until it is durable: SQLite's table completes later. */
export function appended(
  log: DurableLog,
  entries: readonly Entry[],
  hardState: HardState | null = null,
): Promise<void> {
  return new Promise((resolve, reject) => {
    log.append(
      { hardState, entries, configurations: null },
      (error) => error === null ? resolve() : reject(error),
    );
  });
}

export function commitState(state: AppliedState): void {
  state.commit((error) => {
    if (error !== null) throw error;
  });
}

export function allEntries(log: DurableLog): readonly Entry[] {
  const last = log.last().index;
  return last === 0 ? [] : log.entries(1, last, Infinity);
}
