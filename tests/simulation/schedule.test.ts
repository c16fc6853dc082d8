// What a seed draws for a shorter run is the beginning of what it draws for a longer one, numbers included: a failing run
// can be made shorter without its faults becoming others.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { changesMembers, planOf } from "../../lib/simulation/mod.ts";
import { seededRandom } from "../../lib/simulation/random.ts";
import { drawSettings } from "../../lib/simulation/settings.ts";

describe("a schedule", () => {
  for (const changing of [true, false]) {
    test(`of 20 s is the beginning of that of 60 s, members ${changing ? "changing" : "fixed"}`, () => {
      let compared = 0;
      for (let seed = 1; compared < 50; seed++) {
        if (changesMembers(seed, 5) !== changing) continue;
        const long = planOf({ seed, durationMs: 60_000 }).schedule;
        const short = planOf({ seed, durationMs: 20_000 }).schedule;
        const numbered = long.map((fault, number) => ({ number, fault })).filter(({ fault }) =>
          fault.at < 20_000
        );
        assertEquals(short.map((fault, number) => ({ number, fault })), numbered, `seed ${seed}`);
        compared++;
      }
    });
  }

  test("lies within its time and is in order, however short", () => {
    for (let seed = 1; seed <= 100; seed++) {
      const { schedule } = planOf({ seed, durationMs: 1500 });
      assert(schedule.every(({ at }, number) => at < 1500 && at >= (schedule[number - 1]?.at ?? 0)));
    }
  });
});

test("most clusters have one timing, some as many as they have nodes", () => {
  const names = ["n1", "n2", "n3", "n4", "n5"];
  let mixed = 0;
  for (let seed = 1; seed <= 200; seed++) {
    const { timingOf } = drawSettings(seededRandom(seed));
    assertEquals(timingOf("n1"), timingOf("n1"));
    if (new Set(names.map((name) => timingOf(name).electionMs)).size > 1) mixed++;
  }
  assert(mixed > 10 && mixed < 60, `${mixed} of 200`);
});
