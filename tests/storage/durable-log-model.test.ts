// Random appends, truncations, crashes and faults against a model: all that was acknowledged is there or the log
// says that it is corrupt; nothing was made up.
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import type { Entry, HardState } from "../../lib/raft/mod.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { allEntries, corruptionOf, entry, logOn, someNode } from "./support.ts";

type Picture = { readonly entries: readonly Entry[]; readonly hardState: HardState };

test("crash after crash, the log is one of the pictures since the last acknowledgement", () => {
  const seed = printedSeed("durable log");
  for (let round = 0; round < 40; round++) oneLife(seededRandom(seed + round), `seed ${seed} round ${round}`);
});

function oneLife(random: () => number, what: string): void {
  const below = (bound: number) => Math.floor(random() * bound);
  const waiting: (() => void)[] = [];
  const disk = new MemoryDisk({ complete: (_file, run) => waiting.push(run) });
  let log = logOn(disk);
  /** pictures[0] is what was acknowledged last; the others are under way. */
  let pictures: Picture[] = [{ entries: [], hardState: { currentTerm: 0, votedFor: null, withholdMs: 0 } }];
  log.saveNode(someNode, () => {});
  pictures.push({ entries: [], hardState: { currentTerm: 0, votedFor: null, withholdMs: 0 } });
  let term = 0;

  for (let step = 0; step < 120; step++) {
    const kind = below(10);
    if (kind < 5) appendSome();
    else if (kind < 9) completeSome();
    else crashAndCompare(step);
  }
  crashAndCompare(-1);
  corruptSomething();

  function appendSome(): void {
    const before = pictures.at(-1);
    assert(before !== undefined);
    if (below(4) === 0 || term === 0) term++;
    const hardState = { currentTerm: term, votedFor: below(2) === 0 ? null : "n2~x", withholdMs: 0 };
    const from = below(3) === 0 ? 1 + below(before.entries.length + 1) : before.entries.length + 1;
    const entries = Array.from(
      { length: below(5) },
      (_, at) => entry(from + at, term, "x".repeat(below(30))),
    );
    const kept = entries.length > 0 ? before.entries.slice(0, from - 1) : before.entries;
    pictures.push({ entries: [...kept, ...entries], hardState });
    log.append({ hardState, entries, configurations: null }, (error) => {
      assertEquals(error, null);
    });
  }

  function completeSome(): void {
    for (let count = below(3); count > 0 && waiting.length > 0; count--) {
      waiting.shift()?.();
      pictures.shift();
    }
    const acknowledged = pictures[0]?.entries ?? [];
    assertEquals(log.last().index, acknowledged.length, what);
    if (acknowledged.length === 0) return;
    const from = 1 + below(acknowledged.length);
    assertEquals(log.entries(from, acknowledged.length, Infinity), acknowledged.slice(from - 1), what);
    assertEquals(log.term(from), acknowledged[from - 1]?.term, what);
  }

  function crashAndCompare(step: number): void {
    waiting.length = 0;
    disk.crash({
      survives: () => below(2) === 0,
      witness: (["keep", "older", "torn", "missing"] as const)[below(4)] ?? "keep",
    });
    log = logOn(disk);
    const found = { entries: allEntries(log), hardState: log.restored().hardState };
    const at = pictures.findIndex((picture) =>
      JSON.stringify(picture, numbers) === JSON.stringify(found, numbers)
    );
    assert(at >= 0, `${what} step ${step}: not one of the ${pictures.length} possible logs`);
    pictures = [{ ...found }];
    term = Math.max(term, found.hardState.currentTerm);
  }

  function corruptSomething(): void {
    const count = pictures[0]?.entries.length ?? 0;
    const fault = below(3);
    if (fault === 0 && count > 0) assert(disk.flipLogRow(1 + below(count), below(2000)));
    else if (fault === 1 && count > 0) assert(disk.removeLogRow(1 + below(count)));
    else if (!disk.flipLogMeta("sequence", below(2000))) {
      return assert(openDurableLog({ table: disk.openLog(), witness: disk.openWitness() }).ok);
    }
    assert(corruptionOf(disk.openLog(), disk.openWitness()).length > 0, what);
  }
}

function numbers(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? [...value] : value;
}
