// Measures the two choices of docs/decisions/0002-two-sqlite-files.md again, and the opening of a long log:
//
//   bun bench/storage.ts [puts a drain, 64]        under 30 s; prints a line per measure and the ratios
//
// Modes are interleaved, so that a neighbour on the machine disturbs all alike. Ratios hold better than figures.
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../lib/raft/mod.ts";
import { openAppliedState } from "../lib/replica/applied-state.ts";
import { type DurableLog, openDurableLog } from "../lib/replica/durable-log.ts";
import { nativeChecksum, openLogFile, openStateFile, witnessFile } from "../lib/storage/mod.ts";

const drain = Number(process.argv[2] ?? 64);
const keys = 50_000;
const value = new Uint8Array(256).fill(65);
const home = mkdtempSync(join(tmpdir(), "coracle-bench-"));

type Sample = { puts: number; drains: number; ms: number; stalls: number[] };
type Mode = { readonly name: string; run(ms: number): Sample };

function keyOf(): Uint8Array {
  return new TextEncoder().encode(`key/${Math.floor(Math.random() * keys)}`);
}

/** Calls `once` for `ms`; each call is a drain of so many puts. */
function timed(ms: number, puts: number, once: () => void): Sample {
  const sample: Sample = { puts: 0, drains: 0, ms: 0, stalls: [] };
  const start = performance.now();
  for (let now = start; now - start < ms;) {
    once();
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

/** What a node really runs: checksums, sequence, witness, checked rows, state hash, a get before each put. */
function ours(): Mode {
  const log = openLog();
  const opened = openAppliedState({ store: openStateFile(home) });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  const { state } = opened;
  return {
    name: "ours: two files, all checks",
    run: (ms) =>
      timed(ms, drain, () => {
        appendDrain(log, drain);
        for (let put = 0; put < drain; put++) {
          const key = keyOf();
          state.store.get(key);
          state.store.put(key, value);
          state.advance(state.appliedIndex + 1, 1, 0);
        }
        if (state.needsCommit(0)) state.commit(throwIfFailed);
      }),
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

function openLog(): DurableLog {
  const opened = openDurableLog({
    table: openLogFile(home),
    witness: witnessFile(home),
    checksum: nativeChecksum,
  });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  return opened.log;
}

function appendDrain(log: DurableLog, count: number): void {
  const next = log.last().index + 1;
  const entries = Array.from(
    { length: count },
    (_, at): Entry => ({ index: next + at, term: 1, time: next, type: "command", data: value }),
  );
  const hardState = next === 1 ? { currentTerm: 1, votedFor: null, withholdMs: 0 } : null;
  log.append({ hardState, entries, configurations: null }, throwIfFailed);
}

function throwIfFailed(error: Error | null): void {
  if (error !== null) throw error;
}

/** Runs the modes in turn, `rounds` times; puts/s of each. */
function compare(modes: readonly Mode[], rounds: number, ms: number): readonly number[] {
  const sums: Sample[] = modes.map(() => ({ puts: 0, drains: 0, ms: 0, stalls: [] }));
  for (let round = 0; round < rounds; round++) {
    modes.forEach((mode, at) => {
      const sample = mode.run(ms);
      const sum = sums[at]!;
      sum.puts += sample.puts;
      sum.drains += sample.drains;
      sum.ms += sample.ms;
      sum.stalls.push(...sample.stalls);
    });
  }
  return sums.map(({ puts, drains, ms, stalls }, at) => {
    stalls.sort((a, b) => a - b);
    const of = (part: number) => (stalls[Math.floor(part * (stalls.length - 1))] ?? 0).toFixed(2);
    const rate = puts / ms * 1000;
    console.log(
      `${modes[at]?.name.padEnd(36)} ${Math.round(rate).toString().padStart(8)} puts/s ` +
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
  const [one, two, real] = compare([together(), apart(), ours()], 3, 2000);
  ratio("two files over one", two, one);
  ratio("the checks' cost (two files bare over ours)", two, real);

  console.log();
  const costs = compare(
    [logOnly("FULL", 1), logOnly("NORMAL", 1), logOnly("FULL", 64), logOnly("NORMAL", 64)],
    2,
    500,
  );
  ratio("NORMAL over FULL, 1 row", costs[1], costs[0]);
  ratio("NORMAL over FULL, 64 rows", costs[3], costs[2]);

  console.log();
  const bench = mkdtempSync(join(home, "opening-"));
  const fresh = openDurableLog({
    table: openLogFile(bench),
    witness: witnessFile(bench),
    checksum: nativeChecksum,
  });
  if (!fresh.ok) throw new Error(fresh.corruption.reason);
  for (let count = 0; count < 100; count++) appendDrain(fresh.log, 1000);
  fresh.log.close();
  const took = [0, 1, 2].map(() => {
    const start = performance.now();
    const before = process.cpuUsage();
    const opened = openDurableLog({
      table: openLogFile(bench),
      witness: witnessFile(bench),
      checksum: nativeChecksum,
    });
    if (!opened.ok || opened.log.last().index !== 100_000) throw new Error("the log did not open whole");
    opened.log.close();
    const { user, system } = process.cpuUsage(before);
    return `${Math.round(performance.now() - start)} ms (${Math.round((user + system) / 1000)} ms of CPU)`;
  });
  console.log(
    `opening and verifying 100,000 entries of 256 B: ${took.join(", ")}`,
  );
} finally {
  rmSync(home, { recursive: true, force: true });
}
