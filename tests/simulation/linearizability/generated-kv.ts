// Histories of a correct key-value store, made to order, and the same with one wrong answer in them.
import { generateHistory, type HistoryShape } from "../../../lib/simulation/linearizability/generate.ts";
import type { KvState } from "../../../lib/simulation/linearizability/kv-model.ts";
import {
  type KvInput,
  kvModel,
  type KvOutput,
  type Operation,
} from "../../../lib/simulation/linearizability/mod.ts";

export type KvOperation = Operation<KvInput, KvOutput>;

function answer(state: KvState, input: KvInput): { state: KvState; output: KvOutput } {
  const write = (value: string): { state: KvState; output: KvOutput } => ({
    state: { value, revision: null, floor: 0, excluded: [] },
    output: { type: "written" },
  });
  if (input.type === "put") return write(input.value);
  if (input.type !== "cas") return { state, output: { type: "value", value: state.value } };
  return state.value === input.from ? write(input.to) : { state, output: { type: "mismatch" } };
}

export function distinct(random: () => number, serial: number): KvInput {
  return random() < 0.5 ? { type: "get" } : { type: "put", value: String(serial) };
}

export function fewValues(random: () => number): KvInput {
  const value = () => String(Math.floor(random() * 4));
  const dice = random();
  if (dice < 0.4) return { type: "get" };
  return dice < 0.7 ? { type: "put", value: value() } : { type: "cas", from: value(), to: value() };
}

export function kvHistory(shape: HistoryShape<KvInput>, random: () => number): KvOperation[] {
  return generateHistory(kvModel(), answer, shape, random);
}

export function answeredReads(history: readonly KvOperation[], key: string): KvOperation[] {
  return history.filter((operation) =>
    operation.key === key && operation.input.type === "get" && operation.outcome.type === "ok"
  );
}

/** The history in which `victim` saw `value`. */
export function withAnswer(
  history: readonly KvOperation[],
  victim: KvOperation,
  value: string | null,
): KvOperation[] {
  return history.map((operation) =>
    operation === victim && operation.outcome.type === "ok"
      ? { ...operation, outcome: { ...operation.outcome, output: { type: "value", value } } }
      : operation
  );
}
