// Histories too large for the oracle: a correct store's are proven good by the order that is found, and one wrong
// answer among thousands is found and explained in a few operations.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { generateHistory } from "../../../lib/simulation/linearizability/generate.ts";
import type { KvState } from "../../../lib/simulation/linearizability/kv-model.ts";
import {
  checkHistory,
  explain,
  type KvInput,
  kvModel,
  type KvOutput,
} from "../../../lib/simulation/linearizability/mod.ts";
import { printedSeed, seededRandom } from "../../support/random.ts";
import { verifyOrder } from "./oracle.ts";

const shape = { operations: 4000, clients: 6, keys: 2, unknownShare: 0.05 };
const seed = printedSeed("generated histories");

function answer(state: KvState, input: KvInput): { state: KvState; output: KvOutput } {
  const write = (value: string): { state: KvState; output: KvOutput } => ({
    state: { value, revision: null, floor: 0, excluded: [] },
    output: { type: "written" },
  });
  if (input.type === "put") return write(input.value);
  if (input.type !== "cas") return { state, output: { type: "value", value: state.value } };
  return state.value === input.from ? write(input.to) : { state, output: { type: "mismatch" } };
}

function distinct(random: () => number, serial: number): KvInput {
  return random() < 0.5 ? { type: "get" } : { type: "put", value: String(serial) };
}

function fewValues(random: () => number): KvInput {
  const value = () => String(Math.floor(random() * 4));
  const dice = random();
  if (dice < 0.4) return { type: "get" };
  return dice < 0.7 ? { type: "put", value: value() } : { type: "cas", from: value(), to: value() };
}

describe("generated histories", () => {
  for (const input of [distinct, fewValues]) {
    test(`a correct store's are good: ${input.name}`, () => {
      const model = kvModel();
      const verdict = checkHistory(
        model,
        generateHistory(model, answer, { ...shape, input }, seededRandom(seed)),
      );
      assertEquals(verdict.type, "linearizable");
      for (const partition of verdict.partitions) {
        assert(partition.type === "linearizable");
        verifyOrder(model, partition.operations, partition.order);
      }
    });
  }

  test("one stale read is found and explained in a few operations", () => {
    const model = kvModel();
    const history = generateHistory(model, answer, { ...shape, input: distinct }, seededRandom(seed));
    const reads = history.filter(({ input, outcome, key }) =>
      key === "key1" && input.type === "get" && outcome.type === "ok"
    );
    // A value that was overwritten, and seen to be, hundreds of operations ago.
    const victim = reads[600], old = reads[300];
    const spoiled = history.map((operation) =>
      operation === victim && operation.outcome.type === "ok" && old?.outcome.type === "ok"
        ? { ...operation, outcome: { ...operation.outcome, output: old.outcome.output } }
        : operation
    );
    const verdict = checkHistory(model, spoiled);
    assertEquals(verdict.type, "not_linearizable");
    const [explanation] = explain(model, verdict);
    assertEquals(explanation?.key, "key1");
    assert(explanation !== undefined && explanation.bars.length <= 8, JSON.stringify(explanation, null, 1));
    assert(explanation.bars.some(({ id }) => id === victim?.id), "the wrong answer is among them");
  });
});
