// A state machine of one's own in the world: a counter. And counters that are wrong, to see the world find that out,
// make it small and say how to show it again.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { counterModel } from "../../lib/simulation/linearizability/mod.ts";
import type { CounterInput, CounterOutput } from "../../lib/simulation/linearizability/mod.ts";
import {
  describeFailure,
  runWorld,
  simulate,
  type Workload,
  type WorkloadOperation,
} from "../../lib/simulation/mod.ts";
import type { OrderedStore, StateMachineFactory } from "../../lib/replica/ports.ts";

setDefaultTimeout(120_000);

type CounterWorkload = Workload<null, number, number, CounterInput, CounterOutput>;
type CounterOperation = WorkloadOperation<null, CounterInput>;

const key = new Uint8Array([1]);

function valueIn(store: OrderedStore): number {
  const bytes = store.get(key);
  return bytes === null ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
}

function bytesOf(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

const counter: StateMachineFactory<null, number> = (store) => ({
  apply: ({ command }) => {
    const after = valueIn(store) + (command[0] ?? 0);
    store.put(key, bytesOf(after));
    return bytesOf(after);
  },
  query: () => valueIn(store),
});

/** Without a model only the order of reads and the agreement of replicas is checked, which is quick. */
function counterWorkload(machine: StateMachineFactory<null, number>, checked = true): CounterWorkload {
  return {
    name: "counter",
    machine,
    ...(checked ? { model: counterModel() } : {}),
    client: () => ({
      next: (random): CounterOperation => {
        const by = random.integer(1, 10);
        return random.chance(0.5)
          ? { key: "n", input: { type: "get" }, action: { type: "read", query: null } }
          : {
            key: "n",
            input: { type: "add", by },
            action: { type: "write", command: new Uint8Array([by]) },
          };
      },
      learned: () => {},
    }),
    outputOfResult: (_operation, result) => ({
      value: new DataView(result.buffer, result.byteOffset).getFloat64(0),
    }),
    outputOfAnswer: (_operation, value) => ({ value }),
  };
}

describe("a machine of one's own", () => {
  test("a counter survives the world", async () => {
    const report = await simulate({
      workload: counterWorkload(counter),
      seeds: [1, 2, 3],
      run: { nodes: 3, durationMs: 10_000 },
    });
    assertEquals(report.failures.map(({ failed }) => describeFailure(failed, failed, null)), []);
    assert(report.committed > 50);
  });

  test("one that keeps state outside its store is found out, and shown small", async () => {
    const forgetful: StateMachineFactory<null, number> = (store) => {
      let since = 0;
      const inner = counter(store);
      return {
        apply: (applied) => {
          since++;
          // After a restart this counts anew: replicas differ.
          return since % 5 === 0 ? bytesOf(-1) : inner.apply(applied);
        },
        query: (query) => inner.query(query),
      };
    };
    const shrinks: string[] = [];
    const { failures } = await simulate({
      workload: counterWorkload(forgetful, false),
      seeds: Array.from({ length: 20 }, (_, at) => at + 1),
      run: { nodes: 3, durationMs: 8000 },
      onShrink: (what) => shrinks.push(what),
      maxShrinkRuns: 8,
    });
    const failure = failures[0];
    assert(failure !== undefined, "nothing was found in twenty seeds");
    assertEquals(failure.shrunk.violation?.invariant, failure.failed.violation?.invariant);
    assert((failure.shrunk.options.keepFaults ?? []).length <= failure.failed.schedule.length);
    const text = describeFailure(failure.failed, failure.shrunk, null);
    assertMatch(text, /coracle simulate --seed \d+ --nodes 3 --minutes/);
    // The command's options show the very same thing again.
    const again = await runWorld(counterWorkload(forgetful, false), failure.shrunk.options);
    assertEquals(again.violation, failure.shrunk.violation);
  });

  const mark = new Uint8Array([2]);

  test("one that leaves a mark of its process in the store, which no answer shows", async () => {
    let applied = 0;
    const marking: StateMachineFactory<null, number> = (store) => {
      const inner = counter(store);
      return {
        apply: (entry) => {
          // All replicas of the world live in one process: each finds another count.
          store.put(mark, new Uint8Array([++applied & 0xff]));
          return inner.apply(entry);
        },
        query: (query) => inner.query(query),
      };
    };
    const { violation } = await runWorld(counterWorkload(marking), {
      seed: 1,
      nodes: 3,
      durationMs: 5000,
      faults: [],
    });
    assertEquals(violation?.invariant, "State Machine Safety");
    assertMatch(violation?.detail ?? "", /^n\d has state [0-9a-f]{16} at \d+, another has [0-9a-f]{16}$/);
  });

  test("one whose reads write: what the hashes at each entry do not show, the rows in the end do", async () => {
    const scribbling: StateMachineFactory<null, number> = (store) => {
      const inner = counter(store);
      return {
        apply: (entry) => {
          store.delete(mark);
          return inner.apply(entry);
        },
        query: (query) => {
          store.put(mark, mark);
          return inner.query(query);
        },
      };
    };
    const { violation } = await runWorld(counterWorkload(scribbling), {
      seed: 1,
      nodes: 3,
      durationMs: 5000,
      faults: [],
    });
    assertEquals(violation?.invariant, "State Machine Safety");
    assertMatch(violation?.detail ?? "", /^n\d and n\d hold different rows in the end$/);
  });

  test("one whose reads see half of a write is not linearizable", async () => {
    // Answers from a copy that lags behind by one command.
    const lagging: StateMachineFactory<null, number> = (store) => {
      const inner = counter(store);
      let before = valueIn(store);
      return {
        apply: (applied) => {
          before = valueIn(store);
          return inner.apply(applied);
        },
        query: () => before,
      };
    };
    const result = await runWorld(counterWorkload(lagging), {
      seed: 1,
      nodes: 3,
      durationMs: 5000,
      faults: [],
      maxOperations: 60,
    });
    assertEquals(result.violation?.invariant, "Linearizability");
    assert(result.explanation !== null && result.explanation.includes("cannot be put in any order"));
  });
});
