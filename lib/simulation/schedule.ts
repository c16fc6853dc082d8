// Draws a run's faults from its seed. Each run has its own selection of kinds and its own pace ("swarm testing"): a run
// with everything at once finds less than many runs with some of it. A fault's number is its place in the schedule, which
// is in the order of time: what a shorter run draws is the beginning of what a longer one does, numbers included.
import type { Fault, FaultType, Target } from "./faults.ts";
import type { RandomSource } from "./random.ts";

/** How often a kind is drawn, relative to the others. */
const weights: Readonly<
  Record<Exclude<FaultType, "lag" | "join" | "remove" | "configure" | "move">, number>
> = {
  partition: 6,
  flap: 2,
  storm: 2,
  crash: 6,
  stop: 2,
  blackout: 0.7,
  pause: 3,
  suspend: 1.5,
  freezeClock: 1,
  jumpClock: 1,
  drift: 1.5,
  diskStall: 2,
  diskSlow: 1.5,
  diskError: 1.5,
  diskFull: 1,
  corrupt: 0.7,
  corruptState: 0.5,
  wipe: 0.7,
  slow: 1.5,
  overload: 1,
  demote: 2,
  transfer: 2,
  ambush: 6,
};

const types = Object.keys(weights) as (keyof typeof weights)[];

/** What happens to the members, where they change, beside all other faults; and what may befall a cluster as it is formed. */
const changes = [
  "join",
  "join",
  "remove",
  "configure",
  "configure",
  "wipe",
  "wipe",
  "corrupt",
  "demote",
  "transfer",
  "move",
  "move",
] as const;
const early = ["crash", "crash", "wipe", "wipe", "partition", "blackout"] as const;

/** Faults in the order in which they strike, within `durationMs`; `changing`: the members change as well. */
export function drawFaults(
  random: RandomSource,
  nodes: readonly string[],
  durationMs: number,
  changing: boolean,
): Fault[] {
  const drawn = drawSchedule(random.fork("schedule"), nodes, durationMs);
  drawn.push(...drawLags(random.fork("lags"), nodes, durationMs));
  if (changing) drawn.push(...drawChanges(random.fork("changes"), nodes, durationMs));
  return drawn.filter(({ at }) => at < durationMs).sort((a, b) => a.at - b.at);
}

/** In three of ten runs some links are much slower than others, for a while or nearly always. */
function drawLags(random: RandomSource, nodes: readonly string[], durationMs: number): Fault[] {
  if (!random.chance(0.3)) return [];
  const meanGapMs = random.between(1500, 8000);
  const faults: Fault[] = [];
  for (let at = random.exponential(meanGapMs) + 500; at < durationMs; at += random.exponential(meanGapMs)) {
    faults.push(drawFault(random, "lag", nodes, at));
  }
  return faults;
}

function drawChanges(random: RandomSource, nodes: readonly string[], durationMs: number): Fault[] {
  const selected = changes.filter(() => random.chance(0.7));
  const meanGapMs = random.between(1000, 8000);
  const faults: Fault[] = [];
  if (random.chance(0.3)) {
    for (let left = random.integer(1, 6); left > 0; left--) {
      faults.push(drawFault(random, random.pick(early), nodes, random.between(50, 5000)));
    }
  }
  for (let at = random.exponential(meanGapMs) + 1500; at < durationMs; at += random.exponential(meanGapMs)) {
    if (selected.length > 0) faults.push(drawFault(random, random.pick(selected), nodes, at));
  }
  return faults;
}

function drawSchedule(random: RandomSource, nodes: readonly string[], durationMs: number): Fault[] {
  const selected = types.filter(() => random.chance(0.5));
  if (selected.length === 0) return [];
  const meanGapMs = random.between(800, 8000);
  const faults: Fault[] = [];
  // What cannot be had back: a majority must remain.
  let losable = Math.floor((nodes.length - 1) / 2);
  let at = random.exponential(meanGapMs) + 500;
  while (at < durationMs) {
    const fault = drawFault(random, weighted(random, selected), nodes, at);
    const loses = fault.type === "wipe" || fault.type === "corrupt";
    if (!loses || losable-- > 0) faults.push(fault);
    at += random.exponential(meanGapMs);
  }
  return faults;
}

function weighted(random: RandomSource, selected: readonly (keyof typeof weights)[]): FaultType {
  let left = random.next() * selected.reduce((sum, type) => sum + weights[type], 0);
  return selected.find((type) => (left -= weights[type]) < 0) ?? "crash";
}

function drawSide(random: RandomSource, node: Target, nodes: readonly string[]) {
  const others = random.shuffle(nodes.filter((name) => name !== node));
  const side = [node, ...others.slice(0, random.integer(0, Math.max(1, nodes.length - 2)))];
  const way = random.next();
  return way < 0.6 ? { side } : { side, oneWay: way < 0.8 ? "out" as const : "in" as const };
}

function drawFault(random: RandomSource, type: FaultType, nodes: readonly string[], at: number): Fault {
  const node: Target = random.chance(0.4) ? "leader" : random.pick(nodes);
  const forMs = random.chance(0.3) ? random.between(1, 300) : random.exponential(2500);
  const lasting = { at, forMs };
  switch (type) {
    case "partition":
      return { ...lasting, type, ...drawSide(random, node, nodes) };
    case "lag": {
      const delayMs = random.chance(0.6) ? random.between(50, 900) : random.between(5, 50);
      return { ...lasting, type, ...drawSide(random, node, nodes), delayMs };
    }
    case "flap": {
      const others = nodes.filter((name) => name !== node);
      const b = others.length > 0 ? random.pick(others) : node;
      return { ...lasting, type, a: node, b, periodMs: random.between(20, 800) };
    }
    case "storm":
      return {
        ...lasting,
        type,
        loss: random.between(0, 0.4),
        duplicate: random.between(0, 0.3),
        delayMs: random.chance(0.3) ? random.between(50, 400) : random.between(1, 30),
      };
    case "crash":
      return { ...lasting, type, node, power: random.chance(0.6) };
    case "blackout":
    case "transfer":
    case "configure":
      return { ...lasting, type };
    case "join":
      return { ...lasting, type, node: "any", role: random.chance(0.8) ? "voter" : "learner" };
    case "move":
      return { ...lasting, type, node: random.chance(0.2) ? "all" : node };
    case "jumpClock":
      return { ...lasting, type, node, jumpMs: random.between(-1, 1) * 10 ** random.integer(2, 9) };
    case "drift":
      return { ...lasting, type, node, rate: random.between(0.96, 1.04) };
    case "diskSlow":
      return { ...lasting, type, node, factor: random.between(3, 60) };
    case "slow":
      return { ...lasting, type, node, turnMs: random.between(1, 60) };
    case "ambush":
      return {
        ...lasting,
        type,
        node: random.chance(0.6) ? "any" : node,
        on: random.pick(["vote", "campaign", "lead", "acknowledge"] as const),
        action: random.pick(["crash", "crash", "isolate", "pause"] as const),
      };
    case "overload":
      return { ...lasting, type, factor: random.between(3, 12) };
    default:
      return { ...lasting, type, node };
  }
}
