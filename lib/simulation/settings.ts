// How a run's cluster is set up: timing, bounds, disks, clocks and clients, drawn from the seed so that small bounds and
// odd mixtures are met as well as the defaults.
import type { RaftLimits, ReplicaLimits } from "../replica/options.ts";
import { type RandomSource, seededRandom } from "./random.ts";
import { drawWeather, type Weather } from "./weather.ts";

export type Settings = {
  /** Of a node: people may have started them with different flags. */
  readonly timingOf: (node: string) => Timing;
  readonly raft: RaftLimits;
  readonly limits: Partial<ReplicaLimits>;
  readonly weather: Weather;
  readonly clients: number;
  /** Mean time between two operations of one client, ms. */
  readonly thinkMs: number;
};

/** ms. */
export type Timing = { readonly heartbeatMs: number; readonly electionMs: number };

const quick: Timing = { heartbeatMs: 50, electionMs: 250 };
const usual: Timing = { heartbeatMs: 100, electionMs: 500 };
const slow: Timing = { heartbeatMs: 100, electionMs: 1000 };

export function drawSettings(random: RandomSource): Settings {
  const common = random.chance(0.2) ? quick : usual;
  const mixed = random.fork("timing").chance(0.15);
  return {
    timingOf: (node) => mixed ? random.fork(`timing of ${node}`).pick([quick, usual, slow]) : common,
    raft: {
      thrifty: random.chance(0.2),
      ...(random.chance(0.3) ? { maxMessageBytes: random.integer(100, 3000) } : {}),
      ...(random.chance(0.3) ? { maxInflightMessages: random.integer(1, 8) } : {}),
      ...(random.chance(0.2) ? { maxInflightBytes: random.integer(500, 20_000) } : {}),
      ...(random.chance(0.3) ? { maxTailBytes: random.integer(500, 20_000) } : {}),
      ...(random.chance(0.3) ? { maxCommittedBytes: random.integer(100, 5000) } : {}),
      ...(random.chance(0.1) ? { maxUncommittedBytes: random.integer(2000, 20_000) } : {}),
    },
    limits: {
      // Mostly coarser than by default: ticks are what an idle cluster costs here.
      tickMs: random.pick([10, 20, 30, 40]),
      ...(random.chance(0.3) ? { stateCommitMs: random.between(20, 3000) } : {}),
      ...(random.chance(0.3) ? { stateCommitEntries: random.integer(2, 100) } : {}),
      ...(random.chance(0.2) ? { maxProposals: random.integer(1, 10) } : {}),
      ...(random.chance(0.3) ? { maxOutstanding: random.integer(1, 4) } : {}),
    },
    weather: drawWeather(random),
    clients: random.integer(2, 9),
    thinkMs: random.between(60, 350),
  };
}

/** A cluster as people run it, in fair weather: what scenarios begin with. */
export function plainSettings(weather: Weather): Settings {
  return { timingOf: () => usual, raft: {}, limits: {}, weather, clients: 12, thinkMs: 200 };
}

/** How many of the nodes form the cluster; null = the members of this seed do not change. */
export function drawFounders(random: RandomSource, nodes: number): number | null {
  if (!random.chance(0.4)) return null;
  return Math.max(1, nodes - random.pick([0, 0, 1, 2, 2, 4]));
}

/** Whether the members change in the run of this seed, where nothing else is asked for. */
export function changesMembers(seed: number, nodes: number): boolean {
  return drawFounders(seededRandom(seed).fork("founders"), nodes) !== null;
}
