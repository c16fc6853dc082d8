// What a scenario asks for by time: that something is committed meanwhile, that another takes the lead, that every node
// answers reads.
import type { Invariants } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";
import type { RunOptions } from "./run.ts";
import type { Timeline } from "./time.ts";

export type Watched = {
  readonly timeline: Timeline;
  readonly ledger: Ledger;
  readonly invariants: Invariants;
  /** A run made shorter is not asked for what lies past its end. */
  readonly durationMs: number;
  readonly nodes: readonly { readonly name: string }[];
};

export function expectInTime(
  { mustCommit = [], mustLead = [], mustRead = [] }: RunOptions,
  watched: Watched,
): void {
  const { timeline, ledger, invariants, durationMs, nodes } = watched;
  for (const [fromMs, toMs] of mustCommit.filter(([, toMs]) => toMs <= durationMs)) {
    timeline.at(fromMs, () => {
      const before = ledger.top;
      timeline.at(toMs, () => {
        if (ledger.top > before) return;
        invariants.fail("Availability", `nothing was committed between ${fromMs} and ${toMs} ms`);
      });
    });
  }
  for (const [fromMs, toMs] of mustRead.filter(([, toMs]) => toMs <= durationMs)) {
    timeline.at(fromMs, () => {
      const before = new Map(invariants.readsAnswered);
      timeline.at(toMs, () => {
        for (const { name } of nodes) {
          if (invariants.readsAnswered.get(name) !== before.get(name)) continue;
          return invariants.fail("Availability", `${name} answered no read between ${fromMs} and ${toMs} ms`);
        }
      });
    });
  }
  for (const [fromMs, toMs] of mustLead.filter(([, toMs]) => toMs <= durationMs)) {
    timeline.at(fromMs, () => {
      const before = invariants.elections.newestLeader;
      timeline.at(toMs, () => {
        const taken = before === null
          ? invariants.elections.newestLeader !== null
          : invariants.elections.ledSince(before);
        if (taken) return;
        const what = before === null ? "nobody led" : `nobody but ${before.replica} led`;
        invariants.fail("Availability", `${what} between ${fromMs} and ${toMs} ms`);
      });
    });
  }
}
