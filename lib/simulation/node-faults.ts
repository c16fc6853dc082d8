// Faults of one machine: its process, its clock, its disk.
import type { Fault } from "./faults.ts";
import type { Release } from "./holds.ts";
import type { SimulatedNode } from "./node.ts";
import type { RandomSource } from "./random.ts";

const types = [
  ...["crash", "stop", "pause", "suspend", "freezeClock", "jumpClock", "drift", "diskStall", "diskSlow"],
  ...["diskError", "diskFull", "corrupt", "corruptState", "wipe", "slow"],
] as const;

export type NodeFault = Exclude<
  Extract<Fault, { readonly node: string }>,
  { type: "ambush" | "demote" | "join" | "remove" | "move" }
>;

export function isNodeFault(fault: Fault): fault is NodeFault {
  return types.some((type) => type === fault.type);
}

/** What ends it; null = the node does not run, or may not be lost just now (`mayLose`). */
export function strikeNode<Query, Answer>(
  node: SimulatedNode<Query, Answer>,
  fault: NodeFault,
  random: RandomSource,
  mayLose: boolean,
): Release | null {
  const { process, clock, disk } = node;
  if (process === null) return null;
  switch (fault.type) {
    case "crash": {
      const up = node.keepDown();
      node.crash(fault.power ?? false);
      return up;
    }
    case "stop": {
      const up = node.keepDown();
      node.stop(random.between(10, 3000));
      return () => {
        if (node.process === process) node.crash(false);
        up();
      };
    }
    case "corruptState": {
      const up = node.keepDown();
      node.crash(false);
      node.corruptState();
      return up;
    }
    case "wipe":
    case "corrupt": {
      if (!mayLose) return null;
      const lastIndex = node.replica?.status().durableIndex ?? 0;
      const up = node.keepDown();
      // A witness lost with the power proves nothing, and what no witness saw was never promised: damage to either
      // of them cannot be noticed, so that the process is killed here and the machine keeps its power.
      node.crash(fault.type === "wipe", true);
      if (fault.type === "wipe") node.wipe();
      else node.corrupt(lastIndex);
      return up;
    }
    case "pause": {
      const resume = process.pause();
      return () => resume(random.chance(0.5));
    }
    case "suspend": {
      const resume = process.pause();
      const thaw = clock.freeze();
      return () => {
        thaw();
        resume(random.chance(0.5));
      };
    }
    case "freezeClock":
      return clock.freeze();
    case "jumpClock":
      clock.jump(fault.jumpMs);
      return () => {};
    case "drift":
      return clock.drift(fault.rate);
    case "diskStall":
      return disk.stall();
    case "diskSlow":
      return disk.slow(fault.factor);
    case "diskError": {
      const settle = node.allowEnd();
      const up = node.keepDown();
      disk.failNextCommit();
      return () => {
        if (node.running) node.crash(false);
        settle();
        up();
      };
    }
    case "diskFull":
      return disk.fill();
    case "slow":
      return process.slow(fault.turnMs);
  }
}
