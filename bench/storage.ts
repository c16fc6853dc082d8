// Measures the two choices of docs/decisions/0002-two-sqlite-files.md again, and the opening of a long log:
//
//   npm run bench:storage -- [--puts 64] [--seconds 2]        puts a drain, seconds a round; prints a line per measure and the ratios
//
// Modes are interleaved, so that a neighbour on the machine disturbs all alike. Ratios hold better than figures.
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Entry } from "../lib/raft/mod.ts";
import { openAppliedState } from "../lib/replica/applied-state.ts";
import { type DurableLog, openDurableLog } from "../lib/replica/durable-log.ts";
import { nativeChecksum, openLogFile, openStateFile, witnessFile } from "../lib/storage/mod.ts";

const { values: flags } = parseArgs({
  options: { puts: { type: "string", default: "64" }, seconds: { type: "string", default: "2" } },
});
const drain = Number(flags.puts);
const roundMs = Number(flags.seconds) * 1000;
const keys = 50_000;
const value = new Uint8Array(256).fill(65);
const home = mkdtempSync(join(tmpdir(), "coracle-bench-"));

type Sample = { puts: number; drains: number; ms: number; stalls: number[] };
type Mode = { readonly name: string; run(ms: number): Promise<Sample> };

function keyOf(): Uint8Array {
  return new TextEncoder().encode(`key/${Math.floor(Math.random() * keys)}`);
}

/** Calls `once` for `ms`; each call is a drain of so many puts, over when it is durable. */
async function timed(ms: number, puts: number, once: () => void | Promise<void>): Promise<Sample> {
  const sample: Sample = { puts: 0, drains: 0, ms: 0, stalls: [] };
  const start = performance.now();
  for (let now = start; now - start < ms;) {
    await once();
    const after = performance.now();
    sample.stalls.push(after - now);
    now = after;
    sample.ms = now - start;
    sample.puts += puts;
    sample.drains++;
  }
  return sample;
}

function openRaw(name: string, synchronous: "FULL" | "NORMAL"): Database {
  const database = new Database(join(home, name), { create: true, strict: true });
  database.run("PRAGMA locking_mode = exclusive");
  database.run("PRAGMA journal_mode = WAL");
  database.run(`PRAGMA synchronous = ${synchronous}`);
  database.run("CREATE TABLE log (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL)");
  database.run("CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID");
  return database;
}

const insertLog = "INSERT INTO log (bytes) VALUES (?)";
const putState =
  "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";

/** Log and state in one file: each drain is one fsynced transaction over both. */
function together(): Mode {
  const database = openRaw("together.sqlite", "FULL");
  const log = database.prepare<unknown, [Uint8Array]>(insertLog);
  const state = database.prepare<unknown, [Uint8Array, Uint8Array]>(putState);
  return {
    name: "one file, one fsync a drain",
    run: (ms) =>
      timed(ms, drain, () => {
        database.run("BEGIN IMMEDIATE");
        for (let put = 0; put < drain; put++) {
          log.run(value);
          state.run(keyOf(), value);
        }
        database.run("COMMIT");
      }),
  };
}

/** Log and state apart: the log is fsynced at each drain, the state every 10,000 puts. The same statements. */
function apart(): Mode {
  const logs = openRaw("apart-log.sqlite", "FULL");
  const states = openRaw("apart-state.sqlite", "FULL");
  const log = logs.prepare<unknown, [Uint8Array]>(insertLog);
  const state = states.prepare<unknown, [Uint8Array, Uint8Array]>(putState);
  let open = 0;
  states.run("BEGIN IMMEDIATE");
  return {
    name: "two files, the state rarely",
    run: (ms) =>
      timed(ms, drain, () => {
        logs.run("BEGIN IMMEDIATE");
        for (let put = 0; put < drain; put++) log.run(value);
        logs.run("COMMIT");
        for (let put = 0; put < drain; put++) state.run(keyOf(), value);
        open += drain;
        if (open < 10_000) return;
        open = 0;
        states.run("COMMIT");
        states.run("BEGIN IMMEDIATE");
      }),
  };
}

/**
 * What a node really runs: checksums, sequence, witness, checked rows, state hash, a get before each put. The sync of the log
 * ends on another thread: with one drain under way each waits for its own, with four (as a replica has) a sync is shared.
 */
function ours(underWay: number): Mode {
  const folder = mkdtempSync(join(home, "ours-"));
  const log = openLog(folder);
  const opened = openAppliedState({ store: openStateFile(folder) });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  const { state } = opened;
  let drains = 0, durable = 0;
  const waiting: Promise<void>[] = [];
  return {
    name: `ours: all checks, ${underWay} drain${underWay === 1 ? "" : "s"} under way`,
    async run(ms) {
      const sample = await timed(ms, drain, async () => {
        drains++;
        waiting.push(appendDrain(log, drain).then(() => void durable++));
        for (let put = 0; put < drain; put++) {
          const key = keyOf();
          state.store.get(key);
          state.store.put(key, value);
          state.advance(state.appliedIndex + 1, 1, 0);
        }
        if (state.needsCommit(0)) state.commit(throwIfFailed);
        while (waiting.length >= underWay) await waiting.shift();
      });
      await Promise.all(waiting.splice(0));
      if (durable !== drains) throw new Error(`${drains} drains, but ${durable} became durable`);
      return sample;
    },
  };
}

function logOnly(synchronous: "FULL" | "NORMAL", rows: number): Mode {
  const database = openRaw(`${synchronous}-${rows}.sqlite`, synchronous);
  const log = database.prepare<unknown, [Uint8Array]>(insertLog);
  return {
    name: `log only, ${synchronous}, ${rows} row${rows === 1 ? "" : "s"} a commit`,
    run: (ms) =>
      timed(ms, rows, () => {
        database.run("BEGIN IMMEDIATE");
        for (let row = 0; row < rows; row++) log.run(value);
        database.run("COMMIT");
      }),
  };
}

function openLog(folder: string): DurableLog {
  const opened = openDurableLog({
    table: openLogFile(folder),
    witness: witnessFile(folder),
    checksum: nativeChecksum,
  });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  return opened.log;
}

/** Resolves once the drain is durable. */
function appendDrain(log: DurableLog, count: number): Promise<void> {
  const next = log.last().index + 1;
  const entries = Array.from(
    { length: count },
    (_, at): Entry => ({ index: next + at, term: 1, time: next, type: "command", data: value }),
  );
  const hardState = next === 1 ? { currentTerm: 1, votedFor: null, withholdMs: 0 } : null;
  return new Promise((resolve, reject) => {
    log.append(
      { hardState, entries, configurations: null },
      (error) => error === null ? resolve() : reject(error),
    );
  });
}

function throwIfFailed(error: Error | null): void {
  if (error !== null) throw error;
}

/** Runs the modes in turn, `rounds` times; puts/s of each. */
async function compare(modes: readonly Mode[], rounds: number, ms: number): Promise<readonly number[]> {
  const sums: Sample[] = modes.map(() => ({ puts: 0, drains: 0, ms: 0, stalls: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [at, mode] of modes.entries()) {
      const sample = await mode.run(ms);
      const sum = sums[at]!;
      sum.puts += sample.puts;
      sum.drains += sample.drains;
      sum.ms += sample.ms;
      sum.stalls.push(...sample.stalls);
    }
  }
  return sums.map(({ puts, drains, ms, stalls }, at) => {
    stalls.sort((a, b) => a - b);
    const of = (part: number) => (stalls[Math.floor(part * (stalls.length - 1))] ?? 0).toFixed(2);
    const rate = puts / ms * 1000;
    console.log(
      `${modes[at]?.name.padEnd(38)} ${Math.round(rate).toString().padStart(8)} puts/s ` +
        `${Math.round(drains / ms * 1000).toString().padStart(6)} commits/s   ` +
        `a drain: median ${of(0.5)} ms, 99 % ${of(0.99)} ms, worst ${of(1)} ms`,
    );
    return rate;
  });
}

function ratio(what: string, a: number | undefined, b: number | undefined): void {
  console.log(`  → ${what}: ${((a ?? 0) / (b ?? 1)).toFixed(1)}×`);
}

try {
  console.log(`drains of ${drain} puts of ${value.byteLength} B to ${keys} random keys, in ${home}`);
  const [one, two, real, shared] = await compare([together(), apart(), ours(1), ours(4)], 3, roundMs);
  ratio("two files over one", two, one);
  ratio("the checks' cost (two files bare over ours)", two, real);
  ratio("four drains under way over one", shared, real);

  console.log();
  const costs = await compare(
    [logOnly("FULL", 1), logOnly("NORMAL", 1), logOnly("FULL", 64), logOnly("NORMAL", 64)],
    2,
    roundMs / 4,
  );
  ratio("NORMAL over FULL, 1 row", costs[1], costs[0]);
  ratio("NORMAL over FULL, 64 rows", costs[3], costs[2]);

  console.log();
  const bench = mkdtempSync(join(home, "opening-"));
  const fresh = openLog(bench);
  for (let count = 0; count < 100; count++) await appendDrain(fresh, 1000);
  fresh.close();
  const took = [0, 1, 2].map(() => {
    const start = performance.now();
    const before = process.cpuUsage();
    const log = openLog(bench);
    if (log.last().index !== 100_000) throw new Error("the log did not open whole");
    log.close();
    const { user, system } = process.cpuUsage(before);
    return `${Math.round(performance.now() - start)} ms (${Math.round((user + system) / 1000)} ms of CPU)`;
  });
  console.log(
    `opening and verifying 100,000 entries of 256 B: ${took.join(", ")}`,
  );
} finally {
  rmSync(home, { recursive: true, force: true });
}
