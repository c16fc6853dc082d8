// What a run of the world is asked for, and what it found.
import type { Fault } from "./faults.ts";
import type { Violation } from "./invariants.ts";

export type RunOptions = {
  /** Any whole number; with the other options it determines every byte of the run. */
  readonly seed: number;
  /** Default 5. */
  readonly nodes?: number;
  /** Virtual time under faults, ms. Default 60,000. */
  readonly durationMs?: number;
  /**
   * So many of the nodes form the cluster, and the members change; null = they never do. Default: what the seed draws, and
   * null where faults are given.
   */
  readonly founders?: number | null;
  /** Given: these faults on a plain cluster in fair weather, instead of what the seed draws. Each has to strike. */
  readonly faults?: readonly Fault[];
  /** Between these times, ms, something must be committed; what lies past `durationMs` is not asked. */
  readonly mustCommit?: readonly (readonly [fromMs: number, toMs: number])[];
  /** Of whoever led last at the first of these times, ms, another has taken over by the second. */
  readonly mustLead?: readonly (readonly [fromMs: number, toMs: number])[];
  /** Between these times, ms, every node must answer a read that is not stale. */
  readonly mustRead?: readonly (readonly [fromMs: number, toMs: number])[];
  /** Numbers of the faults that are carried out; absent = all. */
  readonly keepFaults?: readonly number[];
  /** Clients stop after so many operations. */
  readonly maxOperations?: number;
  /** Called with each line of the trace. */
  readonly trace?: (line: string) => void;
};

export type RunResult = {
  readonly options: RunOptions;
  /** null = all is as it must be. */
  readonly violation: Violation | null;
  /** The checker's account of a history that is not linearizable. */
  readonly explanation: string | null;
  readonly schedule: readonly Fault[];
  readonly faults: number;
  readonly operations: number;
  readonly done: number;
  readonly unknown: number;
  readonly refused: number;
  readonly reads: number;
  readonly committed: number;
  readonly leaders: number;
  readonly messages: number;
  readonly entryMessages: number;
  readonly steps: number;
  readonly simulatedMs: number;
  /** How long the healed core took to do what was demanded, ms. */
  readonly recoveryMs: number | null;
};
