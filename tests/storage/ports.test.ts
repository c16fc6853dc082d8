// One suite over both implementations of each storage port: in memory and SQLite.
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { compareBytes } from "../../lib/bytes/mod.ts";
import { MemoryDisk, memoryOrderedStore } from "../../lib/memory/mod.ts";
import type { LogBatch, LogTable, OrderedStore, StateStore, WitnessFile } from "../../lib/replica/ports.ts";
import { openLogFile, openStateFile, witnessFile } from "../../lib/storage/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { inFolder, text, textOf } from "./support.ts";

/** Opens the same storage again and again; whoever opens closes first. */
type Home = { log(): LogTable; state(): StateStore; witness(): WitnessFile };
type Within = (use: (home: Home) => void | Promise<void>) => Promise<void>;

const homes: readonly (readonly [string, Within])[] = [
  ["memory", async (use) => {
    const disk = new MemoryDisk();
    await use({
      log: () => disk.openLog(),
      state: () => disk.openState(),
      witness: () => disk.openWitness(),
    });
  }],
  ["SQLite", (use) =>
    inFolder((folder) =>
      use({
        log: () => openLogFile(folder),
        state: () => openStateFile(folder),
        witness: () => witnessFile(folder),
      })
    )],
];

const nothing: LogBatch = { cutFrom: null, rows: [], meta: [], dropTo: null };

function commit(table: LogTable, batch: Partial<LogBatch>): Promise<void> {
  return new Promise((resolve, reject) => {
    table.commit({ ...nothing, ...batch }, (error) => error === null ? resolve() : reject(error));
  });
}

const row = (index: number, value = `row ${index}`) => ({ index, bytes: text(value) });
const indexes = (table: LogTable) => table.rows(1, 1000, Infinity).map(({ index }) => index);

for (const [name, within] of homes) {
  describe(`log table, ${name}`, () => {
    test("a new table is empty", () =>
      within((home) => {
        const table = home.log();
        assertEquals(table.bounds(), null);
        assertEquals(table.meta("anything"), null);
        assertEquals(table.rows(1, 100, 1000), []);
        table.close();
      }));

    test("rows and values are there after it is opened again", () =>
      within(async (home) => {
        const first = home.log();
        await commit(first, {
          rows: [row(1), row(2), { index: 3, bytes: new Uint8Array(0) }],
          meta: [["a", text("1")]],
        });
        await commit(first, { meta: [["a", text("2")], ["b", new Uint8Array(0)]] });
        first.close();
        const second = home.log();
        assertEquals(second.bounds(), { first: 1, last: 3 });
        assertEquals(second.rows(1, 3, Infinity).map(({ bytes }) => textOf(bytes)), ["row 1", "row 2", ""]);
        assertEquals(textOf(second.meta("a")), "2");
        assertEquals(second.meta("b")?.byteLength, 0);
        second.close();
      }));

    test("a commit cuts first, then appends, then drops", () =>
      within(async (home) => {
        const table = home.log();
        await commit(table, { rows: [1, 2, 3, 4, 5].map((index) => row(index)) });
        await commit(table, { cutFrom: 3, rows: [row(3, "other"), row(4, "other")], dropTo: 1 });
        assertEquals(indexes(table), [2, 3, 4]);
        assertEquals(textOf(table.rows(3, 3, 0)[0]?.bytes), "other");
        assertEquals(table.bounds(), { first: 2, last: 4 });
        await commit(table, { cutFrom: 2 });
        assertEquals(table.bounds(), null);
        table.close();
      }));

    test("rows end with the one that reaches maxBytes, and are at least one", () =>
      within(async (home) => {
        const table = home.log();
        await commit(table, { rows: [1, 2, 3, 4].map((index) => row(index, "x".repeat(10))) });
        assertEquals(table.rows(1, 4, 0).length, 1);
        assertEquals(table.rows(1, 4, 11).length, 2);
        assertEquals(table.rows(2, 3, Infinity).map(({ index }) => index), [2, 3]);
        await commit(table, { rows: [row(5)] });
        table.close();
      }));
  });

  describe(`state store, ${name}`, () => {
    test("what was committed is there after a crash, the rest is not", () =>
      within((home) => {
        const first = home.state();
        assertEquals(first.record(), null);
        first.put(text("a"), text("1"));
        first.put(text("b"), text("1"));
        first.commit(text("record 1"), (error) => assertEquals(error, null));
        first.put(text("a"), text("2"));
        first.delete(text("b"));
        first.put(text("c"), text("2"));
        assertEquals(textOf(first.get(text("a"))), "2");
        first.close();
        const second = home.state();
        assertEquals(textOf(second.record()), "record 1");
        assertEquals([...second.scan(everything)].map(([key, value]) => [textOf(key), textOf(value)]), [
          ["a", "1"],
          ["b", "1"],
        ]);
        second.close();
      }));

    test("it behaves as a sorted list does", () =>
      within((home) => {
        const store = home.state();
        againstModel(store, printedSeed(`state store, ${name}`));
        store.close();
      }));
  });

  describe(`witness, ${name}`, () => {
    test("it keeps what was written last", () =>
      within((home) => {
        assertEquals(home.witness().read(), null);
        const witness = home.witness();
        witness.write(text("one"));
        witness.write(text("two"));
        assertEquals(textOf(witness.read()), "two");
        assertEquals(textOf(home.witness().read()), "two");
        const again = home.witness();
        again.write(text("six"));
        assertEquals(textOf(again.read()), "six");
      }));
  });
}

test("the ordered store in memory behaves as a sorted list does, also with thousands of keys", () => {
  againstModel(memoryOrderedStore(), printedSeed("ordered store"), 6000, 3000);
});

const everything = { start: new Uint8Array(0), end: null } as const;

/** Random puts, deletes, gets and scans, each compared with a map and a sort. */
function againstModel(store: OrderedStore, seed: number, steps = 1500, keys = 200): void {
  const random = seededRandom(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  const model = new Map<number, Uint8Array>();
  const keyOf = (number: number) =>
    number === 0 ? new Uint8Array(0) : new Uint8Array([number % 251, number >> 3, number]);
  for (let step = 0; step < steps; step++) {
    const number = below(keys);
    const key = keyOf(number);
    const kind = below(10);
    if (kind < 6) {
      const value = new Uint8Array(below(40)).fill(step);
      store.put(key, value);
      model.set(number, value);
    } else if (kind < 8) {
      assertEquals(store.delete(key), model.delete(number));
    } else {
      assertEquals(asArray(store.get(key)), asArray(model.get(number) ?? null));
    }
    if (step % 50 === 0) compareScan(step);
  }
  function compareScan(step: number): void {
    const bounds = [keyOf(below(keys)), keyOf(below(keys))].sort(compareBytes);
    const start = bounds[0] ?? new Uint8Array(0);
    const end = below(3) === 0 ? null : bounds[1] ?? null;
    const reverse = below(2) === 0;
    const limit = below(2) === 0 ? below(60) : Infinity;
    let expected = [...model].map(([number, value]) => [keyOf(number), value] as const)
      .filter(([key]) => compareBytes(key, start) >= 0 && (end === null || compareBytes(key, end) < 0))
      .sort(([a], [b]) => reverse ? compareBytes(b, a) : compareBytes(a, b));
    if (limit !== Infinity) expected = expected.slice(0, limit);
    const range = limit === Infinity ? { start, end, reverse } : { start, end, reverse, limit };
    const found = [...store.scan(range)];
    assertEquals(
      found.map(([key, value]) => [asArray(key), asArray(value)]),
      expected.map(([key, value]) => [asArray(key), asArray(value)]),
      `scan at step ${step} of seed ${seed}`,
    );
  }
}

function asArray(bytes: Uint8Array | null): readonly number[] | null {
  return bytes === null ? null : [...bytes];
}
