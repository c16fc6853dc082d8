// Random lives of the core under every fault that a core can meet, for a few seconds, from fresh seeds.
// SEED=n repeats one life and shows the end of its trace; CORE_RANDOM_MS sets how long to look (milliseconds).
import { describe, test } from "bun:test";
import { fail } from "@std/assert";
import { seededRandom } from "../support/random.ts";
import { live } from "./chaos.ts";

const stepsOfALife = 600;

describe("random lives of the core", () => {
  test("invariants hold at each step, and all get on once healed", () => {
    const asked = process.env["SEED"];
    const first = asked === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(asked);
    const seeds = seededRandom(first);
    const end = performance.now() + Number(process.env["CORE_RANDOM_MS"] ?? 4000);
    let lives = 0;
    let steps = 0;
    let committed = 0;
    for (let seed = first; lives === 0 || asked === undefined && performance.now() < end;) {
      const life = live(seed, stepsOfALife);
      lives++;
      steps += life.steps;
      committed += life.committed;
      if (life.failure !== null) {
        fail(
          `${life.failure}\nSEED=${seed}, life ${lives}, step ${life.steps} (${steps} in all)\n${
            life.trace.join("\n")
          }`,
        );
      }
      seed = Math.floor(seeds() * 2 ** 32);
    }
    console.log(
      `random lives: ${lives}, ${steps} steps, ${committed} entries committed; first SEED=${first}`,
    );
  }, 60_000);
});
