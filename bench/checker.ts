// How fast the checker decides: `npm run bench:checker`. Good histories, and the same with one wrong answer in them.
import {
  appendListModel,
  type ListInput,
  type ListOutput,
  type ListState,
} from "../lib/simulation/linearizability/append-list-model.ts";
import { checkHistory } from "../lib/simulation/linearizability/checker.ts";
import {
  type CounterInput,
  counterModel,
  type CounterOutput,
} from "../lib/simulation/linearizability/counter-model.ts";
import { generateHistory, type HistoryShape } from "../lib/simulation/linearizability/generate.ts";
import type { Operation } from "../lib/simulation/linearizability/history.ts";
import {
  type KvInput,
  kvModel,
  type KvOutput,
  type KvState,
} from "../lib/simulation/linearizability/kv-model.ts";
import type { Model } from "../lib/simulation/linearizability/model.ts";
import { seededRandom } from "../tests/support/random.ts";

const SEED = Number(process.env["SEED"] ?? 1);

/** Answers a kv input as a correct store would, with or without revisions in the answers. */
function answerKv(withRevisions: boolean) {
  let revision = 0;
  return (state: KvState, input: KvInput): { state: KvState; output: KvOutput } => {
    const seen = withRevisions ? { revision: ++revision } : {};
    const write = (value: string): { state: KvState; output: KvOutput } => ({
      state: { value, revision: withRevisions ? revision : null, floor: 0, excluded: [] },
      output: { type: "written", ...seen },
    });
    if (input.type === "put") return write(input.value);
    if (input.type === "cas") {
      return state.value === input.from ? write(input.to) : { state, output: { type: "mismatch" } };
    }
    const known = state.revision === null ? {} : { revision: state.revision };
    return { state, output: { type: "value", value: state.value, ...known } };
  };
}

const distinct = (random: () => number, serial: number): KvInput =>
  random() < 0.5 ? { type: "get" } : { type: "put", value: String(serial) };

const fewValues = (random: () => number): KvInput => {
  const value = () => String(Math.floor(random() * 5));
  const dice = random();
  if (dice < 0.4) return { type: "get" };
  return dice < 0.7 ? { type: "put", value: value() } : { type: "cas", from: value(), to: value() };
};

function answerCounter(state: number, input: CounterInput): { state: number; output: CounterOutput } {
  return input.type === "get" ? { state, output: { value: state } } : { state: state + input.by, output: {} };
}

function answerList(state: ListState, input: ListInput): { state: ListState; output: ListOutput } {
  const values = typeof state === "number" ? [] : state;
  if (input.type === "read") return { state, output: { type: "list", values } };
  return { state: [...values, input.value], output: { type: "appended" } };
}

/** The history with the answer of one late read replaced by the first read's. */
function spoiled<Input, Output>(
  model: Model<unknown, Input, Output>,
  history: readonly Operation<Input, Output>[],
): Operation<Input, Output>[] {
  const reads = history.filter(({ input, outcome }) =>
    outcome.type === "ok" && model.readOnly(input, undefined)
  );
  const victim = reads[Math.floor(reads.length * 0.9)], old = reads[0];
  return history.map((operation) => {
    if (operation !== victim || operation.outcome.type !== "ok" || old?.outcome.type !== "ok") {
      return operation;
    }
    return { ...operation, outcome: { ...operation.outcome, output: old.outcome.output } };
  });
}

function measure<State, Input, Output>(
  what: string,
  model: Model<State, Input, Output>,
  answer: (state: State, input: Input) => { state: State; output: Output },
  shape: HistoryShape<Input>,
): void {
  const good = generateHistory(model, answer, shape, seededRandom(SEED));
  const bad = spoiled(model as unknown as Model<unknown, Input, Output>, good);
  for (const [kind, history] of [["good", good], ["one stale read", bad]] as const) {
    const start = performance.now();
    const verdict = checkHistory(model, history);
    const ms = performance.now() - start;
    const unknown = history.filter(({ outcome }) => outcome.type === "unknown").length;
    console.log(
      [what.padEnd(34), kind.padEnd(14), String(history.length).padStart(7), String(shape.keys).padStart(4)]
        .concat(String(shape.clients).padStart(4), String(unknown).padStart(5))
        .concat(verdict.type.padEnd(16), `${ms.toFixed(0).padStart(6)} ms`, `${verdict.steps} steps`).join(
          "  ",
        ),
    );
  }
}

console.log(
  "model, inputs                       history          operations  keys  clients/key  unknown  verdict  time",
);
const kv = kvModel();
const shape = { operations: 50_000, clients: 8, keys: 1, unknownShare: 0.05 };
measure("kv, all values distinct", kv, answerKv(false), { ...shape, keys: 20, input: distinct });
measure("kv, all values distinct", kv, answerKv(false), { ...shape, input: distinct });
measure("kv, revisions in answers", kv, answerKv(true), { ...shape, input: distinct });
measure("kv, 5 values, put get cas", kv, answerKv(false), { ...shape, keys: 20, input: fewValues });
measure("kv, 5 values, put get cas", kv, answerKv(false), { ...shape, input: fewValues });
measure("kv, 5 values, no unknown", kv, answerKv(false), { ...shape, unknownShare: 0, input: fewValues });
measure("counter, add 1", counterModel(), answerCounter, {
  ...shape,
  operations: 10_000,
  keys: 10,
  input: (random): CounterInput => random() < 0.5 ? { type: "get" } : { type: "add", by: 1 },
});
measure("counter, add 1 to 5", counterModel(), answerCounter, {
  ...shape,
  operations: 10_000,
  keys: 20,
  input: (random): CounterInput =>
    random() < 0.5 ? { type: "get" } : { type: "add", by: 1 + Math.floor(random() * 5) },
});
measure("append-only list", appendListModel(), answerList, {
  ...shape,
  operations: 10_000,
  keys: 5,
  input: (random, serial): ListInput =>
    random() < 0.3 ? { type: "read" } : { type: "append", value: String(serial) },
});
