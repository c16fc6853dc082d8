// Runs inside a copy of the code that has a bug put in: whole clusters in the deterministic world, first the seeds that
// show a bug of the zoo today, then scenarios, the other kept seeds, and fresh ones, for so many milliseconds. Prints one
// line of JSON: how much it has simulated, and the first violation, or null.
import {
  builtInScenarios,
  kvWorkload,
  runOptionsOf,
  type RunResult,
  runWorld,
} from "../../lib/simulation/mod.ts";
import { type FoundSeed, foundSeeds } from "../simulation/seeds.ts";
import type { Catch } from "./catch.ts";

export type Simulated = { readonly found: Catch | null; readonly minutes: number };

const end = performance.now() + Number(process.argv[2] ?? 20_000);
const firstSeed = Number(process.argv[3] ?? 1);
let minutes = 0;

function caught(by: string, { violation, simulatedMs }: RunResult): Catch | null {
  minutes += simulatedMs / 60_000;
  if (violation === null) return null;
  const what = `${violation.invariant}: ${violation.detail}`.split("\n")[0] ?? "";
  return { by, kind: "invariant", what, after: `${minutes.toFixed(1)} simulated minutes` };
}

async function inSeeds(seeds: readonly FoundSeed[]): Promise<Catch | null> {
  for (const { run, keys } of seeds) {
    if (performance.now() >= end) return null;
    const result = await runWorld(kvWorkload(keys === undefined ? {} : { keys }), run);
    const found = caught(`simulation, kept seed ${run.seed}`, result);
    if (found !== null) return found;
  }
  return null;
}

async function inScenarios(seeds: readonly number[]): Promise<Catch | null> {
  for (const seed of seeds) {
    for (const scenario of builtInScenarios) {
      if (performance.now() >= end) return null;
      const result = await runWorld(kvWorkload(), runOptionsOf(scenario, seed));
      const found = caught(`simulation, scenario ${scenario.name}, seed ${seed}`, result);
      if (found !== null) return found;
    }
  }
  return null;
}

async function firstCatch(): Promise<Catch | null> {
  const showing = foundSeeds.filter(({ zoo }) => zoo !== undefined);
  const others = foundSeeds.filter(({ zoo }) => zoo === undefined).reverse();
  const found = await inSeeds(showing) ?? await inScenarios([firstSeed]) ?? await inSeeds(others) ??
    await inScenarios([firstSeed + 1, firstSeed + 2]);
  if (found !== null) return found;
  for (let seed = firstSeed; performance.now() < end; seed++) {
    const result = await runWorld(kvWorkload(), { seed, nodes: seed % 2 === 0 ? 5 : 3 });
    const found = caught(`simulation, seed ${seed}`, result);
    if (found !== null) return found;
  }
  return null;
}

function print(found: Catch | null): void {
  console.log(JSON.stringify({ found, minutes } satisfies Simulated));
}

try {
  print(await firstCatch());
} catch (error) {
  const what = error instanceof Error ? error.message : String(error);
  print({ by: "simulation", kind: "invariant", what, after: `${minutes.toFixed(1)} simulated minutes` });
}
