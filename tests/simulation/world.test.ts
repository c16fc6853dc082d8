// The whole cluster in the deterministic world: the same seed gives the same bytes, every seed that ever failed stays
// mended, scenarios hold, and a bounded share of fresh seeds is tried each time.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import {
  builtInScenarios,
  describeFailure,
  kvWorkload,
  type RunOptions,
  runOptionsOf,
  type RunResult,
  runWorld,
} from "../../lib/simulation/mod.ts";
import { foundSeeds } from "./seeds.ts";

// The world runs as fast as the machine lets it, and others may be using that.
setDefaultTimeout(120_000);

async function traceOf(options: RunOptions): Promise<string> {
  const lines: string[] = [];
  await runWorld(kvWorkload(), { ...options, trace: (line) => lines.push(line) });
  return lines.join("\n");
}

function assertSound(result: RunResult, scenario: string | null = null): void {
  assert(result.violation === null, describeFailure(result, result, scenario));
}

describe("determinism", () => {
  test("the same seed gives the same trace, byte for byte", async () => {
    for (const seed of [7, 8]) {
      const options = { seed, durationMs: 8000 };
      const first = await traceOf(options);
      assert(first.length > 10_000);
      assertEquals(Bun.hash(await traceOf(options)), Bun.hash(first));
    }
  });

  test("another seed gives another trace", async () => {
    assertNotEquals(
      await traceOf({ seed: 7, durationMs: 1000 }),
      await traceOf({ seed: 8, durationMs: 1000 }),
    );
  });

  test("a trace changes nothing", async () => {
    const { options: _a, ...without } = await runWorld(kvWorkload(), { seed: 11, durationMs: 8000 });
    const { options: _b, ...traced } = await runWorld(kvWorkload(), {
      seed: 11,
      durationMs: 8000,
      trace: () => {},
    });
    assertEquals(traced, without);
  });
});

describe("scenarios", () => {
  for (const scenario of builtInScenarios) {
    test(`${scenario.name}: ${scenario.description}`, async () => {
      for (const seed of [1, 2, 3]) {
        const result = await runWorld(kvWorkload(), runOptionsOf(scenario, seed));
        assertSound(result, scenario.name);
        assert(result.done > 50, `only ${result.done} writes were done`);
        assertEquals(result.faults, scenario.faults.length);
      }
    });
  }
});

describe("clusters of other sizes", () => {
  for (const nodes of [1, 2, 4, 7]) {
    test(`${nodes}`, async () => {
      for (const seed of [1, 2, 3]) {
        assertSound(await runWorld(kvWorkload(), { seed, nodes, durationMs: 8000 }));
      }
    });
  }
});

describe("seeds that once failed", () => {
  for (const { run, keys, showed } of foundSeeds) {
    test(`${run.seed}: ${showed}`, async () => {
      assertSound(await runWorld(kvWorkload(keys === undefined ? {} : { keys }), run));
    });
  }
});

describe("fresh seeds", () => {
  const seconds = Number(process.env["SIMULATION_SECONDS"] ?? 30);
  const first = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 40));

  test(`for ${seconds} s, from SEED=${first}`, async () => {
    const endAt = performance.now() + seconds * 1000;
    let runs = 0;
    let simulatedMs = 0;
    let operations = 0;
    for (let seed = first; performance.now() < endAt || runs === 0; seed++) {
      const result = await runWorld(kvWorkload(), {
        seed,
        nodes: seed % 4 === 0 ? 3 : 5,
        durationMs: 30_000,
      });
      assertSound(result);
      runs++;
      simulatedMs += result.simulatedMs;
      operations += result.operations;
    }
    console.log(
      `simulation: seeds ${first} to ${first + runs - 1}, ${operations} operations, ` +
        `${(simulatedMs / 60_000).toFixed(1)} simulated minutes`,
    );
  }, (seconds + 60) * 1000);
});
