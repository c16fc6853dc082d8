// The core's own invariants (lib/raft/invariants.ts, Raft figure 3), asked of each node after each of its turns, and of all of
// them together now and then.
import { brokenChange, brokenCluster, brokenState, type Raft, type RaftStatus } from "../raft/mod.ts";

/** The core, to look at. */
export type Core = Pick<Raft, "status" | "termAt">;

export class Cores {
  readonly fail: (invariant: string, detail: string) => void;
  readonly #last = new Map<string, RaftStatus>();
  readonly #cores = new Map<string, Core>();

  constructor(fail: (invariant: string, detail: string) => void) {
    this.fail = fail;
  }

  /** The node's process has done one turn. */
  turned(node: string, core: Core): void {
    const before = this.#last.get(node);
    const status = core.status();
    // Most turns ask nothing of the core, or change nothing that is asked about; a leader's progress may change alone.
    if (before === status) return;
    if (before !== undefined && status.role !== "leader" && isSame(before, status)) return;
    this.#last.set(node, status);
    this.#cores.set(node, core);
    for (const what of brokenState(status)) this.fail("Core", what);
    if (before === undefined) return;
    for (const what of brokenChange(before, status)) this.fail("Core", what);
  }

  /** Its process is gone: the next one begins from its disk. */
  ended(node: string): void {
    this.#last.delete(node);
    this.#cores.delete(node);
  }

  /** All that run, at this moment. */
  together(): void {
    const views = [...this.#cores.values()].map((core) => ({
      status: core.status(),
      termAt: (index: number) => core.termAt(index),
    }));
    for (const what of brokenCluster(views)) this.fail("Core", what);
  }
}

function isSame(before: RaftStatus, after: RaftStatus): boolean {
  return before.role === after.role && before.currentTerm === after.currentTerm &&
    before.commitIndex === after.commitIndex && before.lastApplied === after.lastApplied &&
    before.last.index === after.last.index && before.last.term === after.last.term &&
    before.durableIndex === after.durableIndex && before.votedFor === after.votedFor &&
    before.leaderId === after.leaderId && before.configuration === after.configuration;
}
