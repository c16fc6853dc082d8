// The example of simulating a machine of one's own, through nothing but the public library; and the bank broken in two ways,
// to see that it is found out.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bank, type BankAnswer, type BankQuery } from "../../examples/bank.ts";
import { bankWorkload } from "../../examples/bank-simulation.ts";
import { linearizability, simulation, type StateMachineFactory } from "../../lib/mod.ts";

setDefaultTimeout(120_000);

type Bank = StateMachineFactory<BankQuery, BankAnswer>;

const run = { nodes: 3, durationMs: 10_000 };

/** It forgets to take the money from who pays: of two writes in a transaction, the first is lost. */
const generous: Bank = (store) => {
  let puts = 0, isTransfer = false;
  const machine = bank({
    ...store,
    get: (key) => store.get(key),
    put: (key, value) => {
      if (!isTransfer || ++puts > 1) store.put(key, value);
    },
  });
  return {
    apply: (applied) => {
      puts = 0;
      isTransfer = new TextDecoder().decode(applied.command).includes("transfer");
      return machine.apply(applied);
    },
    query: (query) => machine.query(query),
  };
};

/** It answers from before the last transaction. */
const behind: Bank = (store) => {
  const machine = bank(store);
  let ann = machine.query({ type: "balance", account: "ann" });
  return {
    apply: (applied) => {
      ann = machine.query({ type: "balance", account: "ann" });
      return machine.apply(applied);
    },
    query: (query) => query.type === "balance" && query.account === "ann" ? ann : machine.query(query),
  };
};

describe("the bank of the examples, in the world", () => {
  test("survives", async () => {
    const report = await simulation.simulate({ workload: bankWorkload(), seeds: [1, 2, 3, 4], run });
    assertEquals(report.failures.map(({ failed }) => failed.violation), []);
    assert(report.committed > 100 && report.faults > 0, JSON.stringify(report));
  });

  for (
    const [what, broken] of [["that takes nothing from who pays", generous], [
      "that answers late",
      behind,
    ]] as const
  ) {
    test(`one ${what} is found out and explained`, async () => {
      const options = { workload: bankWorkload(broken), seeds: [3, 4], run, maxShrinkRuns: 0 };
      const { failures } = await simulation.simulate(options);
      const shrunk = failures[0]?.shrunk;
      assertEquals(shrunk?.violation?.invariant, "Linearizability");
      assertStringIncludes(shrunk?.explanation ?? "", "cannot be put in any order");
    });
  }
});

test("the checker is in the library too, for histories of any origin", () => {
  const { checkHistory, counterModel, explain, explanationText } = linearizability;
  const history: linearizability.History<linearizability.CounterInput, linearizability.CounterOutput> = [
    { id: "#1", client: "a", key: "n", input: { type: "add", by: 1 }, call: 0, outcome: { type: "unknown" } },
    { id: "#2", client: "b", key: "n", input: { type: "get" }, call: 1, outcome: ok(2) },
  ];
  const verdict = checkHistory(counterModel(), history);
  assertEquals(verdict.type, "not_linearizable");
  assertStringIncludes(explain(counterModel(), verdict).map(explanationText).join(), "get → 2");
});

function ok(value: number): linearizability.Outcome<linearizability.CounterOutput> {
  return { type: "ok", output: { value }, return: 2 };
}
