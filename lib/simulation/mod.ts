// The deterministic world's public face.
export { describeFault, type Fault, type FaultType, type Target } from "./faults.ts";
export { kvWorkload, type KvWorkloadOptions } from "./kv-workload.ts";
export type { Violation } from "./invariants.ts";
export { type Plan, planOf, unknownFault } from "./plan.ts";
export { type RandomSource, seededRandom } from "./random.ts";
export { commandOf, counted, describeFailure, describeRun } from "./report.ts";
export { builtInScenarios, findScenario, runOptionsOf, type Scenario } from "./scenario.ts";
export { type ParsedScenario, parseScenario } from "./scenario-file.ts";
export { changesMembers } from "./settings.ts";
export { shrink } from "./shrink.ts";
export {
  type Failure as SimulationFailure,
  simulate,
  type SimulateOptions,
  type SimulationReport,
  Tally,
} from "./simulate.ts";
export type { Oracle, Workload, WorkloadClient, WorkloadOperation } from "./workload.ts";
export type { RunOptions, RunResult } from "./run.ts";
export { runWorld } from "./world.ts";
