// The reserve of free space (design §4), so that votes, reads and a restart always find room. Below the whole reserve no
// client's write is taken; below half of it no entries of a leader either, as if they were lost on their way; and what
// would leave less than a quarter is not committed to the state, for which nobody waits.
import type { AppendEntries, Entry, Raft } from "../raft/mod.ts";
import type { Log, LogLevel, SpaceProbe } from "./ports.ts";

/** Probing costs a system call. */
const everyMs = 1000;
/** What a write may take beyond its bytes, which go into the log and into the state: a page there. */
const pageBytes = 4096;

/** About what so many commands of so many bytes together take on the disk; rather more than less. */
export function diskBytes(commands: number, bytes: number): number {
  return commands * pageBytes + 2 * bytes;
}

export class Space {
  readonly #probe: SpaceProbe;
  readonly #reserveBytes: number;
  readonly #lastBytes: number;
  readonly #log: Log;
  #probedAt = -Infinity;
  #freeBytes = Infinity;
  /** Taken and not in #freeBytes yet: a burst between two probes, or within one turn, must not use the reserve up. */
  #takenBytes = 0;
  /** Of these, what not even a probe would show yet. */
  #unwrittenBytes = 0;
  #full = false;
  /** Takes entries from a leader. */
  #follows = true;

  constructor(probe: SpaceProbe, reserveBytes: number, log: Log) {
    this.#probe = probe;
    this.#reserveBytes = reserveBytes;
    this.#lastBytes = reserveBytes / 2;
    this.#log = log;
  }

  /** Whether the reserve is touched, as of the last probe. */
  get full(): boolean {
    return this.#full;
  }

  tick(now: number): void {
    if (now - this.#probedAt < everyMs) return;
    this.#probedAt = now;
    this.#look();
  }

  /** Whether a client's command may go into the log; then it counts as taken. */
  takes(command: Uint8Array): boolean {
    return this.#take(diskBytes(1, command.byteLength), this.#reserveBytes);
  }

  /**
   * The message as far as there is room for it: with what the log has already, and with no-ops and configurations, which
   * are small and rare, and without which a leader serves no reads. When nothing of it is left, it is heard as a heartbeat
   * that names no entry, until there is room again: what it proves of its leader holds and its round is answered, but the
   * logs are not said to agree, so that the leader offers what comes next from time to time, ever more rarely.
   */
  affordable(message: AppendEntries, core: Pick<Raft, "commitIndex" | "status" | "termAt">): AppendEntries {
    const { entries, prevLogIndex, leaderCommit } = message;
    const takesAll = this.#follows && (entries.length === 0 || this.#takeEntries(entries, this.#lastBytes));
    if (takesAll) return message;
    const { last } = core.status();
    const missing = entries.findIndex(({ index, term }) => index > last.index || core.termAt(index) !== term);
    const known = missing < 0 ? entries.length : missing;
    const command = entries.findIndex(({ type }, at) => at >= known && type === "command");
    const small = entries.slice(known, command < 0 ? entries.length : command);
    if (command >= 0) this.#follow(false);
    const taken = small.length > 0 && this.#takeEntries(small, 0) ? known + small.length : known;
    const tellsOfCommits = prevLogIndex <= last.index &&
      Math.min(leaderCommit, prevLogIndex) > core.commitIndex;
    if (taken > 0 || this.#follows || tellsOfCommits) return { ...message, entries: entries.slice(0, taken) };
    return { ...message, prevLogIndex: 0, prevLogTerm: 0, entries: [] };
  }

  /** All that was taken is in the files by now, though perhaps not synced. */
  written(): void {
    this.#unwrittenBytes = 0;
  }

  /** Whether so much may go into the state. What is left then is for the log, which grows by what it still has to copy back. */
  sparesForState(bytes: number): boolean {
    return this.#leaves(bytes, this.#lastBytes / 2);
  }

  #takeEntries(entries: readonly Entry[], reserveBytes: number): boolean {
    let bytes = 0;
    for (const { data } of entries) bytes += data.byteLength;
    return this.#take(diskBytes(entries.length, bytes), reserveBytes);
  }

  #take(bytes: number, reserveBytes: number): boolean {
    const taken = this.#leaves(bytes, reserveBytes);
    if (taken) {
      this.#takenBytes += bytes;
      this.#unwrittenBytes += bytes;
    }
    return taken;
  }

  /** What was taken is an estimate: it never refuses anything without a look at the disk. */
  #leaves(bytes: number, reserveBytes: number): boolean {
    const leaves = () => this.#freeBytes - this.#takenBytes - bytes >= reserveBytes;
    if (leaves()) return true;
    if (this.#takenBytes === this.#unwrittenBytes) return false;
    this.#look();
    return leaves();
  }

  #look(): void {
    this.#freeBytes = this.#probe();
    this.#takenBytes = this.#unwrittenBytes;
    if (this.#freeBytes >= this.#reserveBytes * 0.75) this.#follow(true);
    const full = this.#freeBytes < this.#reserveBytes;
    if (full === this.#full) return;
    this.#full = full;
    if (full) this.#say("warning", "the disk is nearly full: writes are refused until there is room");
    else this.#say("info", "the disk has room again: writes are taken");
  }

  #follow(follows: boolean): void {
    if (follows === this.#follows) return;
    this.#follows = follows;
    if (follows) this.#say("info", "the disk has room again: the log is followed");
    else {this.#say(
        "error",
        "the disk is full but for what votes need: the log is not followed until there is room",
      );}
  }

  #say(level: LogLevel, message: string): void {
    this.#log(level, message, { freeBytes: this.#freeBytes, reserveBytes: this.#reserveBytes });
  }
}
