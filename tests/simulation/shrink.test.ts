// A failing run is made smaller: fewer faults, fewer operations, shorter, with the faults that it took and no others.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import {
  changesMembers,
  kvWorkload,
  planOf,
  type RunOptions,
  type RunResult,
  runWorld,
  shrink,
} from "../../lib/simulation/mod.ts";
import type { KvAnswer, KvQuery } from "../../lib/kv/mod.ts";
import type { StateMachineFactory } from "../../lib/replica/ports.ts";

setDefaultTimeout(120_000);

/** The first seed under which the members change and there are many faults. */
function memberSeed(): number {
  for (let seed = 1;; seed++) {
    if (changesMembers(seed, 5) && planOf({ seed }).schedule.length > 15) return seed;
  }
}

/** What a run would find that breaks where a fault is carried out, `afterMs` later: under faults, or once it has healed. */
function runThatBreaks(culprit: string, afterMs: number) {
  return (options: RunOptions): Promise<RunResult> => {
    const { schedule, durationMs } = planOf(options);
    const kept = options.keepFaults ?? [...schedule.keys()];
    const struck = kept.map((number) => schedule[number]).find((fault) => JSON.stringify(fault) === culprit);
    const operations = Math.min(500, options.maxOperations ?? Infinity);
    const breaks = struck !== undefined && operations >= 20;
    return Promise.resolve({
      ...{ options, schedule, operations, faults: kept.length, explanation: null, recoveryMs: null },
      ...{ done: 0, unknown: 0, refused: 0, reads: 0, committed: 0, leaders: 1, messages: 0 },
      ...{ entryMessages: 0, steps: 0 },
      simulatedMs: breaks ? struck.at + afterMs : durationMs + 8000,
      violation: breaks ? { invariant: "Made up", detail: "" } : null,
    });
  };
}

describe("made smaller", () => {
  const seed = memberSeed();
  const { schedule } = planOf({ seed });
  const middle = schedule[schedule.length >> 1];
  assert(middle !== undefined);

  test("a run with changing members that broke under faults keeps the one that did it", async () => {
    const run = runThatBreaks(JSON.stringify(middle), 500);
    const { result } = await shrink(await run({ seed, nodes: 5 }), run, 60);
    const { keepFaults, durationMs, maxOperations } = result.options;
    assertEquals(keepFaults, [schedule.indexOf(middle)]);
    assertEquals(result.options.durationMs, Math.ceil(middle.at + 500));
    assert((maxOperations ?? Infinity) < 40);
    assert(durationMs !== undefined);
    assertEquals(planOf(result.options).schedule[keepFaults?.[0] ?? -1], middle);
  });

  test("one that broke only after the heal becomes shorter too", async () => {
    const run = runThatBreaks(JSON.stringify(middle), 100_000);
    const { result } = await shrink(await run({ seed, nodes: 5 }), run, 60);
    assertEquals(result.options.keepFaults, [schedule.indexOf(middle)]);
    assertEquals(result.options.durationMs, Math.ceil(middle.at) + 1);
  });

  test("no more runs than allowed, and what does not break any more is not taken", async () => {
    const failed = await runThatBreaks(JSON.stringify(middle), 500)({ seed, nodes: 5 });
    let runs = 0;
    const { result, tries } = await shrink(failed, (options) => {
      runs++;
      return runThatBreaks("none", 0)(options);
    }, 7);
    assertEquals([result === failed, runs, tries], [true, 7, 7]);
  });

  test("where something should have happened by a time, operations are not taken away: that would be why", async () => {
    const options: RunOptions = {
      ...{ seed: 1, nodes: 3, durationMs: 9000, mustCommit: [[1000, 3000], [5000, 8000]] },
      mustRead: [[5000, 8000]],
      faults: [
        { at: 3000, forMs: 100, type: "transfer" },
        { at: 4000, forMs: 4500, type: "blackout" },
      ],
    };
    const run = (changed: RunOptions) => runWorld(kvWorkload(), changed);
    const failed = await run(options);
    assertEquals(failed.violation?.invariant, "Availability");
    const { result } = await shrink(failed, run, 60);
    assertEquals([result.options.keepFaults, result.options.maxOperations], [[1], undefined]);
    assertEquals(result.violation, failed.violation);
  });

  test("a machine that keeps state outside its store, for real", async () => {
    const { oracle: _sees, ...workload } = kvWorkload();
    // After a restart it counts anew: replicas differ.
    const forgetful: StateMachineFactory<KvQuery, KvAnswer> = (store) => {
      let since = 0;
      const inner = workload.machine(store);
      return {
        apply: (applied) => {
          if (++since % 20 === 0) inner.apply(applied);
          return inner.apply(applied);
        },
        query: (query) => inner.query(query),
      };
    };
    const broken = { ...workload, machine: forgetful };
    for (let seed = 1, found = 0; found < 2; seed++) {
      const failed = await runWorld(broken, { seed, nodes: 3, durationMs: 20_000 });
      if (
        failed.violation?.invariant !== "State Machine Safety" || failed.faults < 3 || failed.operations < 150
      ) continue;
      found++;
      const { result } = await shrink(failed, (options) => runWorld(broken, options), 60);
      const { keepFaults = [], durationMs = Infinity } = result.options;
      assertEquals(result.violation?.invariant, failed.violation.invariant);
      assert(
        2 * keepFaults.length < failed.schedule.length,
        `${keepFaults.length} of ${failed.schedule.length} faults`,
      );
      // With fewer faults in their way clients do more until it breaks, but no more than these faults leave them.
      const alone = await runWorld(broken, { ...failed.options, keepFaults });
      assert(result.operations <= alone.operations, `${result.operations}, ${alone.operations} before`);
      assert(durationMs < 20_000, `${durationMs} ms`);
    }
  });
});
