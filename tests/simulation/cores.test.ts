// The core's invariants are asked of every node after each of its turns: a state that lasts a single turn is seen.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RaftStatus } from "../../lib/raft/mod.ts";
import { type Core, Cores } from "../../lib/simulation/cores.ts";
import { kvWorkload, runWorld } from "../../lib/simulation/mod.ts";

setDefaultTimeout(60_000);

/** Runs a world in which a core looks otherwise after one turn, the 300th with something committed. */
async function runWith(wrong: (status: RaftStatus) => Partial<RaftStatus>): Promise<string> {
  const right = Cores.prototype.turned;
  let turns = 0;
  Cores.prototype.turned = function turned(this: Cores, node: string, core: Core): void {
    const status = core.status();
    const seen = status.commitIndex > 0 && ++turns === 300 ? { ...status, ...wrong(status) } : status;
    right.call(this, node, { status: () => seen, termAt: (index) => core.termAt(index) });
  };
  try {
    const run = { seed: 1, nodes: 3, durationMs: 5000, faults: [] };
    const { violation, committed } = await runWorld(kvWorkload(), run);
    assert(turns >= 300 && turns > committed);
    return violation === null ? "" : `${violation.invariant}: ${violation.detail}`;
  } finally {
    Cores.prototype.turned = right;
  }
}

describe("seen, though it lasts one turn", () => {
  test("nothing wrong", async () => {
    assertEquals(await runWith(() => ({})), "");
  });

  test("one moment: applied past the commit", async () => {
    const text = await runWith(({ commitIndex }) => ({ lastApplied: commitIndex + 1, durableIndex: 1e6 }));
    assertMatch(text, /^Core: n\d~\w+: applied \d+ past its commit/);
  });

  test("two moments: a term that falls", async () => {
    const last = { index: 1e6, term: 0 };
    const text = await runWith(({ role }) => ({
      currentTerm: 0,
      last,
      votedFor: null,
      leaderId: null,
      role,
    }));
    assertMatch(text, /^Core: n\d~\w+: (leads without its own vote|its term fell from 1 to 0)/);
  });
});
