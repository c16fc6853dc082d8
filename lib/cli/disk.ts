// Opens a data folder for `serve`: the log (whose lock is the guard of the folder), then the applied state. Whatever is
// wrong with it becomes one line that says what and how to mend it.
import { type AppliedState, openAppliedState } from "../replica/applied-state.ts";
import { CorruptStorage, mendLog, mendState } from "../replica/corruption.ts";
import { type DurableLog, openDurableLog } from "../replica/durable-log.ts";
import { mixtureOf } from "../replica/mixture.ts";
import { outOf, type SetAside } from "../replica/node-record.ts";
import type { Log, LogTable, SpaceProbe } from "../replica/ports.ts";
import {
  freeSpace,
  logsSetAside,
  nativeChecksum,
  openDataFolder,
  openLogFile,
  openStateFile,
  setAside,
  StorageError,
  witnessFile,
} from "../storage/mod.ts";
import { Failure } from "./failure.ts";

export type OpenedDisk = {
  /** Absolute. */
  readonly folder: string;
  readonly durableLog: DurableLog;
  readonly state: AppliedState;
  readonly space: SpaceProbe;
  /** The log is new, and others were set aside here. */
  readonly setAside: SetAside | null;
};

export type DiskOptions = {
  readonly folder: string;
  readonly log: Log;
  /** Told of corruption that is found while running. */
  readonly fatal: (message: string) => void;
  /** Called between log and state with what the log knows; may throw a Failure. */
  readonly check: (durableLog: DurableLog) => void;
  /** Whether this node may give up who it was and enter its cluster as another replica: it knows whom to ask. */
  readonly mayEnterAnew: (why: "corrupt" | "removed" | "refused") => boolean;
};

/** Throws a Failure. A log that lies, or one of a removed node, is set aside where the node may enter anew. */
export function openDisk(options: DiskOptions): OpenedDisk {
  const { folder: path, log, fatal, check, mayEnterAnew } = options;
  try {
    const folder = openDataFolder(path);
    let opened = openLog(folder, fatal);
    let clusterId: string | null = null;
    const node = opened.ok ? opened.log.node() : null;
    const why = !opened.ok ? "corrupt" : node === null ? null : outOf(node);
    if (why !== null && mayEnterAnew(why)) {
      clusterId = node?.setAside?.clusterId ?? node?.clusterId ?? clusterOfState(folder);
      if (opened.ok) opened.log.close();
      setAllAside(
        folder,
        log,
        opened.ok ? node?.refused ?? "This node was removed from its cluster." : opened.reason,
      );
      opened = openLog(folder, fatal);
    }
    if (!opened.ok) throw new Failure(`${folder} cannot be used: ${opened.reason}`);
    // In a new folder everything is missing, and nothing is wrong with that.
    const level = opened.log.node() === null ? "debug" : "warning";
    for (const note of opened.log.notes) log(level, note, { data: folder });
    check(opened.log);
    const state = openAppliedState({
      store: openStateFile(folder, { onFailed: unwritable("state", fatal) }),
      fatal,
    });
    if (!state.ok) throw new Failure(`${folder} cannot be used: ${state.corruption.reason}`);
    const mixture = mixtureOf(opened.log, state.state);
    if (mixture !== null) throw new Failure(`${folder} mixes two data folders: ${mixture}`);
    // By what lies in the folder, so that a crash before the new log knows it changes nothing.
    const kept = opened.log.node() === null ? logsSetAside(folder) : [];
    return {
      ...{ folder, durableLog: opened.log, state: state.state, space: freeSpace(folder) },
      setAside: kept.length === 0 ? null : { clusterId, kept },
    };
  } catch (error) {
    if (error instanceof StorageError) throw new Failure(`${error.message}${advice(error)}`);
    if (error instanceof CorruptStorage) throw new Failure(`${error.message}. ${mendLog}`);
    throw error;
  }
}

const unwritable = (file: "log" | "state", fatal: (message: string) => void) => (error: Error): void =>
  fatal(`the ${file} cannot be written: ${error.message}`);

type Opened = { readonly ok: true; readonly log: DurableLog } | {
  readonly ok: false;
  readonly reason: string;
};

function openLog(folder: string, fatal: (message: string) => void): Opened {
  let table: LogTable | null = null;
  try {
    table = openLogFile(folder, { onFailed: unwritable("log", fatal) });
    const opened = openDurableLog({ table, witness: witnessFile(folder), checksum: nativeChecksum, fatal });
    if (opened.ok) return opened;
    table.close();
    return { ok: false, reason: opened.corruption.reason };
  } catch (error) {
    const corrupt = error instanceof CorruptStorage ||
      error instanceof StorageError && error.trouble === "corrupt";
    if (!corrupt) throw error;
    table?.close();
    return { ok: false, reason: `${error.message}. ${mendLog}` };
  }
}

/** Of a folder whose log can not say it any more; null = nor can the state. */
function clusterOfState(folder: string): string | null {
  try {
    const store = openStateFile(folder);
    try {
      const state = openAppliedState({ store });
      return state.ok ? state.state.record()?.clusterId ?? null : null;
    } finally {
      store.close();
    }
  } catch (error) {
    if (error instanceof StorageError || error instanceof CorruptStorage) return null;
    throw error;
  }
}

/** The state first: a log without its state is made whole again, a state without its log is nobody's. */
function setAllAside(folder: string, log: Log, reason: string): void {
  const kept = [];
  for (const file of ["state", "log"] as const) kept.push(setAside(folder, file));
  log("error", "the data folder is set aside: this node enters its cluster anew, as another replica", {
    reason,
    kept: kept.join(", "),
  });
}

function advice(error: StorageError): string {
  if (error.trouble !== "corrupt") return "";
  return `. ${error.message.includes("state.sqlite") ? mendState : mendLog}`;
}
