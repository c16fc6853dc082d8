// What is settled of a run before it begins: its nodes, who of them forms the cluster, and which faults are to strike.
import type { Fault } from "./faults.ts";
import { seededRandom } from "./random.ts";
import type { RunOptions } from "./run.ts";
import { drawFaults } from "./schedule.ts";
import { drawFounders } from "./settings.ts";

export type Plan = {
  readonly names: readonly string[];
  /** So many of them form the cluster, and the members change; null = all do, and they never change. */
  readonly founders: number | null;
  readonly durationMs: number;
  /** A fault's number is its place here. */
  readonly schedule: readonly Fault[];
};

export function planOf({ seed, nodes = 5, durationMs = 60_000, faults, founders }: RunOptions): Plan {
  const random = seededRandom(seed);
  const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
  const drawn = faults === undefined ? drawFounders(random.fork("founders"), nodes) : null;
  const forming = founders === undefined ? drawn : founders;
  const schedule = faults ?? drawFaults(random, names, durationMs, forming !== null);
  return { names, founders: forming, durationMs, schedule };
}

/** The first of these numbers that is no fault of the schedule; undefined = they all are. */
export function unknownFault({ schedule }: Plan, numbers: readonly number[]): number | undefined {
  return numbers.find((number) => schedule[number] === undefined);
}
