// Scenarios: runs whose faults are written by hand, as a small JSON file or here: "partition the leader, then …".
import type { Fault, FaultType } from "./faults.ts";
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
      "The leader is cut off from all others: it must neither acknowledge nor answer reads meanwhile.",
    durationMs: 20_000,
    mustCommit: [[5500, 8500], [13_800, 15_900]],
    faults: [
      { at: 4000, forMs: 5000, type: "partition", side: ["leader"] },
      { at: 13_000, forMs: 3000, type: "partition", side: ["leader"] },
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
    description: "The leader's disk hangs; another must lead. Later a commit fails and the process ends.",
    durationMs: 20_000,
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
  ...memberScenarios,
];

export function findScenario(name: string): Scenario | undefined {
  return builtInScenarios.find((scenario) => scenario.name === name);
}

/** The run that a scenario describes; the seed draws what it leaves open (delays, clients). */
export function runOptionsOf(scenario: Scenario, seed: number): RunOptions {
  const { nodes = 3, durationMs, faults, mustCommit, founders } = scenario;
  return {
    ...{ seed, nodes, durationMs, faults },
    ...(mustCommit === undefined ? {} : { mustCommit }),
    ...(founders === undefined ? {} : { founders }),
  };
}

export type ParsedScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly problem: string };

/** Every kind of fault, with what it needs beside `at` and `forMs` (both ms). */
const fields: Readonly<
  Record<FaultType, Readonly<Record<string, "node" | "nodes" | "number" | "optional">>>
> = {
  partition: { side: "nodes", oneWay: "optional" },
  flap: { a: "node", b: "node", periodMs: "number" },
  storm: { loss: "number", duplicate: "number", delayMs: "number" },
  crash: { node: "node", power: "optional" },
  stop: { node: "node" },
  blackout: {},
  pause: { node: "node" },
  suspend: { node: "node" },
  freezeClock: { node: "node" },
  jumpClock: { node: "node", jumpMs: "number" },
  drift: { node: "node", rate: "number" },
  diskStall: { node: "node" },
  diskSlow: { node: "node", factor: "number" },
  diskError: { node: "node" },
  diskFull: { node: "node" },
  corrupt: { node: "node" },
  corruptState: { node: "node" },
  wipe: { node: "node" },
  slow: { node: "node", turnMs: "number" },
  overload: { factor: "number" },
  ambush: { node: "node", on: "node", action: "node" },
  demote: { node: "node" },
  join: { node: "node", role: "optional" },
  remove: { node: "node" },
  configure: { voters: "nodes", learners: "nodes" },
  transfer: { to: "optional" },
};

/** Reads the JSON of a scenario file. */
export function parseScenario(text: string): ParsedScenario {
  const wrong = (problem: string): ParsedScenario => ({ ok: false, problem });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return wrong(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { name, description, nodes, founders, durationMs, faults } = record(value);
  if (typeof durationMs !== "number" || !(durationMs > 0)) {
    return wrong(`"durationMs" must be a number above 0`);
  }
  if (nodes !== undefined && (!Number.isInteger(nodes) || Number(nodes) < 1 || Number(nodes) > 9)) {
    return wrong(`"nodes" must be 1 to 9`);
  }
  if (founders !== undefined && (!Number.isInteger(founders) || Number(founders) < 1)) {
    return wrong(`"founders" must be 1 or more`);
  }
  if (!Array.isArray(faults)) return wrong(`"faults" must be a list`);
  for (const [at, fault] of faults.entries()) {
    const problem = problemOf(record(fault));
    if (problem !== null) return wrong(`fault ${at}: ${problem}`);
  }
  return {
    ok: true,
    scenario: {
      name: typeof name === "string" ? name : "scenario",
      description: typeof description === "string" ? description : "",
      ...(nodes === undefined ? {} : { nodes: Number(nodes) }),
      ...(founders === undefined ? {} : { founders: Number(founders) }),
      durationMs,
      faults: faults as Fault[],
    },
  };
}

function problemOf(fault: Readonly<Record<string, unknown>>): string | null {
  const { type, at, forMs, ...rest } = fault;
  const needed = typeof type === "string"
    ? Object.entries(fields).find(([name]) => name === type)?.[1]
    : undefined;
  if (needed === undefined) return `"type" must be one of ${Object.keys(fields).join(", ")}`;
  if (typeof at !== "number" || typeof forMs !== "number") {
    return `"at" and "forMs" must be numbers of milliseconds`;
  }
  for (const [name, kind] of Object.entries(needed)) {
    const value = rest[name];
    if (kind === "optional") continue;
    const fits = kind === "nodes"
      ? Array.isArray(value) && value.every((item) => typeof item === "string")
      : kind === "node"
      ? typeof value === "string"
      : typeof value === "number";
    if (!fits) return `a ${String(type)} needs "${name}"`;
  }
  const strange = Object.keys(rest).find((name) => !(name in needed));
  return strange === undefined ? null : `a ${String(type)} has no "${strange}"`;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? value as Readonly<Record<string, unknown>> : {};
}
