// Scenarios: runs whose faults are written by hand, as a small JSON file (scenario-file.ts) or here: "partition the
// leader, then …". Each fault must strike, and what must be committed and who must lead is asked for by time.
import type { Fault } from "./faults.ts";
import { memberScenarios } from "./member-scenarios.ts";
import type { RunOptions } from "./run.ts";

export type Scenario = {
  readonly name: string;
  readonly description: string;
  /** Default 3. */
  readonly nodes?: number;
  /** So many of the nodes form the cluster, the others can join; given, who loses its disk enters again. */
  readonly founders?: number;
  readonly durationMs: number;
  readonly faults: readonly Fault[];
  /** Between these times, ms, something must be committed: faults that the cluster has to work through. */
  readonly mustCommit?: readonly (readonly [fromMs: number, toMs: number])[];
  /** Of whoever led last at the first of these times, ms, another has taken over by the second. */
  readonly mustLead?: readonly (readonly [fromMs: number, toMs: number])[];
  /** Between these times, ms, every node must answer a read that is not stale. */
  readonly mustRead?: readonly (readonly [fromMs: number, toMs: number])[];
};

export const builtInScenarios: readonly Scenario[] = [
  {
    name: "leader-crash",
    description:
      "The leader is killed three times; each time another takes over and it comes back as a follower.",
    durationMs: 20_000,
    mustCommit: [[5200, 6800], [10_200, 11_800], [15_200, 16_800]],
    faults: [4000, 9000, 14_000].map((at) => ({ at, forMs: 3000, type: "crash", node: "leader" })),
  },
  {
    name: "leader-partition",
    description:
      "The leader is cut off from all others, twice: it acknowledges nothing, another takes over and writes go on.",
    durationMs: 20_000,
    mustCommit: [[5500, 8500], [14_500, 15_900]],
    mustLead: [[4000, 5500], [13_000, 14_500]],
    faults: [
      { at: 4000, forMs: 5000, type: "partition", side: ["leader"] },
      { at: 13_000, forMs: 3000, type: "partition", side: ["leader"] },
    ],
  },
  {
    name: "isolated-frozen-leader",
    description:
      "The leader is cut off and its monotonic clock stands still, so that it never sees that its time is over: " +
      "it must not answer a read, by lease or by belief, while its successor takes writes.",
    durationMs: 14_000,
    // Clients that ask the frozen leader wait there: later there may be nobody left to write.
    mustCommit: [[4500, 8000]],
    mustLead: [[4000, 5500]],
    faults: [
      { at: 4000, forMs: 4000, type: "partition", side: ["leader"] },
      { at: 4001, forMs: 4000, type: "freezeClock", node: "leader" },
    ],
  },
  {
    name: "deaf-leader",
    description:
      "The leader can send and not hear (one-way partition): it must step down, or the cluster stands still.",
    durationMs: 20_000,
    mustCommit: [[6000, 9500]],
    faults: [{ at: 4000, forMs: 6000, type: "partition", side: ["leader"], oneWay: "in" }],
  },
  {
    name: "mute-leader",
    description: "The leader can hear and not be heard.",
    durationMs: 20_000,
    mustCommit: [[5500, 9500]],
    faults: [{ at: 4000, forMs: 6000, type: "partition", side: ["leader"], oneWay: "out" }],
  },
  {
    name: "blackout",
    description: "All machines lose their power at once, twice. Every acknowledged write survives.",
    durationMs: 20_000,
    faults: [{ at: 5000, forMs: 1000, type: "blackout" }, { at: 12_000, forMs: 10, type: "blackout" }],
  },
  {
    name: "frozen-leader",
    description:
      "The leader's machine is suspended, its successor takes writes, then it wakes and believes to lead.",
    durationMs: 20_000,
    faults: [
      { at: 4000, forMs: 3000, type: "suspend", node: "leader" },
      { at: 11_000, forMs: 2000, type: "pause", node: "leader" },
      { at: 16_000, forMs: 2000, type: "freezeClock", node: "leader" },
    ],
  },
  {
    name: "stalled-disk",
    description:
      "The leader's disk hangs: another leads within two election timeouts. Later a commit fails and the process ends.",
    durationMs: 20_000,
    mustLead: [[4000, 5500], [13_000, 17_000]],
    mustCommit: [[5500, 8500], [14_500, 15_500]],
    faults: [
      { at: 4000, forMs: 5000, type: "diskStall", node: "leader" },
      { at: 13_000, forMs: 2000, type: "diskError", node: "leader" },
    ],
  },
  {
    name: "awful-network",
    description: "40 % loss, doubles and disorder for a long time.",
    durationMs: 30_000,
    mustCommit: [[6000, 26_000]],
    faults: [{ at: 2000, forMs: 25_000, type: "storm", loss: 0.4, duplicate: 0.3, delayMs: 20 }],
  },
  {
    name: "wiped-node",
    description:
      "A follower comes back with an empty disk under its old name: it must not vote as who it was.",
    durationMs: 25_000,
    faults: [
      { at: 5000, forMs: 1000, type: "wipe", node: "follower" },
      { at: 12_000, forMs: 4000, type: "partition", side: ["leader"] },
    ],
  },
  {
    name: "corrupt-log",
    description: "A follower's log is damaged while it is down: it must notice before it says anything.",
    durationMs: 20_000,
    faults: [{ at: 8000, forMs: 1000, type: "corrupt", node: "follower" }],
  },
  {
    name: "ambushed-leaders",
    description:
      "Each new leader dies as it sends the first entry of its term: figure 8 of the paper, again and again.",
    nodes: 5,
    durationMs: 40_000,
    faults: [6, 10, 14, 18, 22, 26, 30].flatMap((second): Fault[] => [
      { at: second * 1000 - 600, forMs: 1500, type: "crash", node: "leader" },
      { at: second * 1000 - 500, forMs: 3000, type: "ambush", node: "any", on: "lead", action: "crash" },
    ]),
  },
  {
    name: "rolling-restart",
    description: "One node after the other is asked to stop, hands over, and is started again.",
    durationMs: 20_000,
    faults: ["n1", "n2", "n3"].map((node, at) => ({ at: 4000 + at * 4000, forMs: 2500, type: "stop", node })),
    mustCommit: [[3000, 4000], [5500, 6500], [9500, 10_500], [13_500, 14_500]],
  },
  {
    name: "far-apart",
    description:
      "Answers take three heartbeats from anywhere to anywhere: writes go on, and every node answers reads.",
    durationMs: 20_000,
    mustCommit: [[3000, 5000], [9000, 11_000], [15_000, 17_000]],
    mustRead: [[3000, 6000], [9000, 12_000], [15_000, 18_000]],
    faults: ["n1", "n2", "n3"].map((node) => ({
      ...{ at: 1500, forMs: 18_000, type: "lag", side: [node], delayMs: 75 },
    })),
  },
  ...memberScenarios,
];

export function findScenario(name: string): Scenario | undefined {
  return builtInScenarios.find((scenario) => scenario.name === name);
}

/** The run that a scenario describes; the seed draws what it leaves open (delays, clients). */
export function runOptionsOf(scenario: Scenario, seed: number): RunOptions {
  const { nodes = 3, durationMs, faults, mustCommit, mustLead, mustRead, founders } = scenario;
  return {
    ...{ seed, nodes, durationMs, faults },
    ...(mustCommit === undefined ? {} : { mustCommit }),
    ...(mustLead === undefined ? {} : { mustLead }),
    ...(mustRead === undefined ? {} : { mustRead }),
    ...(founders === undefined ? {} : { founders }),
  };
}
