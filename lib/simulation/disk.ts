// A machine's disk: the memory disk, with the world deciding when its commits complete and what a crash leaves of them.
import { MemoryDisk } from "../memory/mod.ts";
import type { LogBatch, LogTable, SpaceProbe, StateStore, WitnessFile } from "../replica/ports.ts";
import { Holds, type Release } from "./holds.ts";
import type { RandomSource } from "./random.ts";
import type { Timeline } from "./time.ts";

export type DiskProfile = {
  /** True: a commit completes before it returns and its process stands still meanwhile, as SQLite in its own thread does. */
  readonly synchronous: boolean;
  readonly minCommitMs: number;
  readonly meanCommitMs: number;
};

export function drawDiskProfile(random: RandomSource): DiskProfile {
  return {
    synchronous: random.chance(0.4),
    minCommitMs: random.between(0.05, 1),
    meanCommitMs: random.chance(0.2) ? random.between(3, 30) : random.between(0.1, 2),
  };
}

/** What a process that uses the disk brings along. */
export type DiskUser = {
  /** Runs `task` in a turn of the process; never once it is gone. */
  turn(task: () => void): void;
  /** The process does nothing else for so long. */
  block(ms: number): void;
};

export class SimulatedDisk {
  /** Factor on what commits cost. */
  #slowness = 1;
  readonly #slow = new Holds<number>((held) => this.#slowness = Math.max(1, ...held));
  readonly #stalls = new Holds<true>();
  readonly #fills = new Holds<true>((held) => this.#memory.freeBytes = held.length > 0 ? 1024 : Infinity);
  readonly #memory: MemoryDisk;
  readonly #timeline: Timeline;
  readonly #random: RandomSource;
  readonly #profile: DiskProfile;
  /** Told of every transaction of the log that became durable, also of one that a crash left behind. */
  readonly #durable: (batch: LogBatch) => void;
  #user: DiskUser | null = null;
  #underWay: LogBatch[] = [];
  #lastCompletion = 0;

  constructor(
    timeline: Timeline,
    random: RandomSource,
    profile: DiskProfile,
    durable: (batch: LogBatch) => void,
  ) {
    this.#timeline = timeline;
    this.#random = random;
    this.#profile = profile;
    this.#durable = durable;
    this.#memory = new MemoryDisk({ complete: (_file, run) => this.#complete(run) });
  }

  /** The ports as one process opens them. */
  open(user: DiskUser): { table: LogTable; witness: WitnessFile; store: StateStore; space: SpaceProbe } {
    this.#user = user;
    const table = this.#memory.openLog();
    return {
      table: {
        meta: (name) => table.meta(name),
        bounds: () => table.bounds(),
        rows: (from, to, maxBytes) => table.rows(from, to, maxBytes),
        commit: (batch, done) => {
          // A process that an ambush ended in the middle of its turn may still ask; its table refuses.
          if (this.#user === user) this.#underWay.push(batch);
          table.commit(batch, (error) => {
            if (error === null) {
              this.#underWay.shift();
              this.#durable(batch);
            } else this.#underWay = [];
            done(error);
          });
        },
        close: () => table.close(),
      },
      witness: this.#memory.openWitness(),
      store: this.#memory.openState(),
      space: this.#memory.space,
    };
  }

  /** The process is gone; with `power`, what was never fsynced is too. Of the commits under way some first ones made it, or none. */
  crash(power: boolean, none = false): void {
    this.#user = null;
    const log = this.#underWay.length;
    const survival = none ? 0 : this.#random.next();
    let asked = 0;
    this.#memory.crash({
      survives: () => {
        const survived = this.#random.chance(survival);
        const batch = asked++ < log ? this.#underWay.shift() : undefined;
        if (!survived) asked = log;
        else if (batch !== undefined) this.#durable(batch);
        return survived;
      },
      witness: power ? this.#random.pick(["keep", "older", "torn", "missing"] as const) : "keep",
    });
    this.#underWay = [];
    this.#stalls.clear();
  }

  /** No commit completes until the release, or until the process is gone. */
  stall(): Release {
    this.#memory.stall("log");
    this.#memory.stall("state");
    const release = this.#stalls.hold(true);
    return () => {
      if (!this.#stalls.any) return;
      release();
      if (!this.#stalls.any) this.#resume();
    };
  }

  /** Commits cost so many times as much until the release. */
  slow(factor: number): Release {
    return this.#slow.hold(factor);
  }

  /** Hardly a byte is free until the release. */
  fill(): Release {
    return this.#fills.hold(true);
  }

  #resume(): void {
    const resume = () => {
      if (this.#stalls.any) return;
      this.#memory.resume("log");
      this.#memory.resume("state");
    };
    if (this.#user === null) resume();
    else this.#user.turn(resume);
  }

  failNextCommit(): void {
    this.#memory.failCommit(this.#random.chance(0.8) ? "log" : "state", this.#random.integer(1, 4));
  }

  wipeState(): void {
    this.#memory.wipeState();
  }

  wipe(): void {
    this.#memory.wipe();
  }

  /** Damages what lies in the log, in one place; says how, null = there was nothing to damage. Only while no process uses it. */
  corruptLog(lastIndex: number): string | null {
    const random = this.#random;
    const bit = random.integer(0, 100_000);
    const index = random.integer(1, Math.max(2, lastIndex + 1));
    const name = random.pick(["hardState", "node", "configurations", "sequence"]);
    switch (random.integer(0, 5)) {
      case 0:
        return this.#memory.flipLogRow(index, bit) ? `a bit of entry ${index} flipped` : null;
      case 1:
        return this.#memory.flipLogMeta(name, bit) ? `a bit of "${name}" flipped` : null;
      case 2:
        return this.#memory.removeLogRow(index) ? `entry ${index} vanished` : null;
      case 3:
        return this.#memory.removeLogMeta(name) ? `"${name}" vanished` : null;
      default: {
        const lost = this.#memory.loseLastLogCommits(random.integer(1, 4));
        return lost > 0 ? `the last ${lost} transactions forgotten` : null;
      }
    }
  }

  /** Flips a bit of a row of the applied state, or of the record beside it. False = there is nothing yet. */
  corruptState(): boolean {
    const random = this.#random;
    const bit = random.integer(0, 100_000);
    return random.chance(0.2)
      ? this.#memory.flipStateRecord(bit)
      : this.#memory.flipStateRow(random.integer(0, 24), bit);
  }

  /** All rows of the applied state, as seen now. */
  stateRows(): Iterable<readonly [Uint8Array, Uint8Array]> {
    return this.#memory.openState().scan({ start: new Uint8Array(), end: null });
  }

  #complete(run: () => void): void {
    const user = this.#user;
    if (user === null) return;
    const { synchronous, minCommitMs, meanCommitMs } = this.#profile;
    const cost = (minCommitMs + this.#random.exponential(meanCommitMs)) * this.#slowness;
    if (synchronous) {
      user.block(cost);
      return run();
    }
    this.#lastCompletion = Math.max(this.#timeline.now + cost, this.#lastCompletion);
    this.#timeline.at(this.#lastCompletion, () => user.turn(run));
  }
}
