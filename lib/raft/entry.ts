// A log entry and its place (Raft §5.3, figure 2 "log[]").

/** The place of an entry. Index 0, term 0 is the place before the first entry. */
export type Position = { readonly index: number; readonly term: number };

export type EntryType = "command" | "noop" | "configuration";

export type Entry = {
  /** First index is 1; indexes have no gaps. */
  readonly index: number;
  /** Term in which a leader first appended it; never falls along the log. */
  readonly term: number;
  /** Log time in milliseconds: the previous entry's plus the leader's monotonic elapsed time. Never falls, never a wall clock. */
  readonly time: number;
  readonly type: EntryType;
  /** A command of the state machine; empty for a noop; an encoded Configuration for a configuration. */
  readonly data: Uint8Array;
};

/** What an entry counts towards limits in bytes: its data and a flat charge for the rest. */
export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + 64;
}
