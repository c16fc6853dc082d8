// The checker against the definition: every small history there is, and random ones with up to seven operations.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import {
  type BankInput,
  bankModel,
  type BankOutput,
} from "../../../lib/simulation/linearizability/bank-model.ts";
import {
  appendListModel,
  type ListInput,
  type ListOutput,
} from "../../../lib/simulation/linearizability/append-list-model.ts";
import { certainlyNot, checkOperations } from "../../../lib/simulation/linearizability/checker.ts";
import {
  type CounterInput,
  counterModel,
  type CounterOutput,
} from "../../../lib/simulation/linearizability/counter-model.ts";
import type { Operation } from "../../../lib/simulation/linearizability/history.ts";
import { type KvInput, kvModel, type KvOutput } from "../../../lib/simulation/linearizability/kv-model.ts";
import { type Model, startingIn } from "../../../lib/simulation/linearizability/model.ts";
import { relaxations, sections } from "../../../lib/simulation/linearizability/relax.ts";
import { printedSeed, seededRandom } from "../../support/random.ts";
import { linearizableByDefinition, verifyOrder } from "./oracle.ts";
import { type Kind, operationsOf, overlaps, randomOperations, sequences } from "./small.ts";

type KvKind = Kind<KvInput, KvOutput>;

const put = (value: string): KvInput => ({ type: "put", value });
const cas = (from: string, to: string): KvInput => ({ type: "cas", from, to });
const got = (value: string | null): KvKind => ({ input: { type: "get" }, output: { type: "value", value } });
const written: KvOutput = { type: "written" };

const register: KvKind[] = [
  { input: put("1"), output: written },
  { input: put("2"), output: written },
  { input: put("1") },
  { input: put("2") },
  got(null),
  got("1"),
  got("2"),
  { input: cas("1", "2"), output: written },
];

const conditional: KvKind[] = [
  ...register,
  { input: cas("1", "2") },
  { input: cas("1", "2"), output: { type: "mismatch" } },
  { input: { type: "delete" }, output: { type: "deleted", deleted: 1 } },
  { input: { type: "delete" }, output: { type: "deleted", deleted: 0 } },
  { input: { type: "delete" }, output: { type: "deleted" } },
  { input: { type: "delete" } },
  { input: put("1"), output: { type: "written", created: false } },
  { input: { type: "put", value: "2", ifAbsent: true }, output: { type: "written", created: true } },
  { input: { type: "put", value: "2", ifAbsent: true }, output: { type: "mismatch" } },
  { input: { type: "put", value: "2", ifAbsent: true } },
];

const revisions: KvKind[] = [
  { input: put("1"), output: { type: "written", revision: 5 } },
  { input: put("2"), output: { type: "written", revision: 6 } },
  { input: put("1") },
  { input: put("2") },
  { input: put("3") },
  { input: { type: "get" }, output: { type: "value", value: "1", revision: 5 } },
  { input: { type: "get" }, output: { type: "value", value: "2", revision: 6 } },
  { input: { type: "get" }, output: { type: "value", value: "2", revision: 7 } },
  { input: { type: "put", value: "1", ifRevision: 6 }, output: { type: "written", revision: 8 } },
  { input: { type: "put", value: "2", ifRevision: 5 } },
  { input: { type: "put", value: "2", ifRevision: 7 }, output: { type: "mismatch" } },
  { input: { type: "delete", ifRevision: 6 }, output: { type: "deleted", deleted: 1, revision: 7 } },
  { input: { type: "delete", ifRevision: 7 } },
  got(null),
];

const counter: Kind<CounterInput, CounterOutput>[] = [
  { input: { type: "add", by: 1 }, output: {} },
  { input: { type: "add", by: 1 } },
  { input: { type: "add", by: 2 } },
  { input: { type: "add", by: -1 } },
  { input: { type: "add", by: 1 }, output: { value: 2 } },
  { input: { type: "get" }, output: { value: 0 } },
  { input: { type: "get" }, output: { value: 1 } },
  { input: { type: "get" }, output: { value: 2 } },
  { input: { type: "get" }, output: { value: 3 } },
];

const append = (value: string): ListInput => ({ type: "append", value });
const list = (...values: string[]): Kind<ListInput, ListOutput> => ({
  input: { type: "read" },
  output: { type: "list", values },
});
const lists: Kind<ListInput, ListOutput>[] = [
  { input: append("1"), output: { type: "appended" } },
  { input: append("2"), output: { type: "appended" } },
  { input: append("1") },
  { input: append("3") },
  list(),
  list("1"),
  list("1", "2"),
  list("2", "1"),
  list("1", "3"),
];

const transfer = (from: string, to: string, amount: number): BankInput => ({
  type: "transfer",
  from,
  to,
  amount,
});
const balances = (a: number, b: number): Kind<BankInput, BankOutput> => ({
  input: { type: "read" },
  output: { type: "balances", balances: { a, b } },
});
const bank: Kind<BankInput, BankOutput>[] = [
  { input: transfer("a", "b", 1), output: { type: "done" } },
  { input: transfer("b", "a", 2), output: { type: "done" } },
  { input: transfer("a", "b", 1) },
  { input: transfer("b", "a", 1) },
  { input: transfer("b", "a", 2), output: { type: "refused" } },
  balances(1, 1),
  balances(0, 2),
  balances(2, 0),
];

/** The verdict of the checker, once it agrees with the definition and its proof holds. */
function agreeing<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): boolean {
  const expected = linearizableByDefinition(model, operations);
  const verdict = checkOperations(model, operations);
  if ((verdict.type === "linearizable") !== expected) {
    assertEquals(
      verdict.type,
      expected ? "linearizable" : "not_linearizable",
      JSON.stringify(operations, null, 1),
    );
  }
  if (verdict.type === "linearizable") verifyOrder(model, operations, verdict.order);
  // The way that long searches go, through relaxed histories, must come to the same.
  if (operations.length > 4) {
    assertEquals(checkOperations(model, operations, { quickSteps: 2 }).type, verdict.type);
  }
  return expected;
}

const WINDOWS = [1, 2, 3, 4, 5, 6];

/** A good history stays good when it is relaxed, whatever operation is taken for the blocked one: or proofs would be none. */
function staysGood<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
): void {
  for (const blocked of operations.filter(({ outcome }) => outcome.type === "ok")) {
    const relaxed = [...relaxations(model, operations, blocked, WINDOWS)].filter((some) =>
      certainlyNot(model, some, 10_000).answer
    );
    assertEquals(relaxed, [], JSON.stringify(operations, null, 1));
    const cut = [...sections(model, operations, blocked, WINDOWS)].filter((some) =>
      model.anyState?.(some)?.every((state) => certainlyNot(startingIn(model, state), some, 10_000).answer)
    );
    assertEquals(cut, [], JSON.stringify([blocked, ...operations], null, 1));
  }
}

function all<State, Input, Output>(
  model: Model<State, Input, Output>,
  kinds: readonly Kind<Input, Output>[],
  count: number,
): void {
  let histories = 0, good = 0;
  const intervals = overlaps(count);
  for (const sequence of sequences(kinds, count)) {
    for (const interval of intervals) {
      histories++;
      if (agreeing(model, operationsOf(sequence, interval))) good++;
    }
  }
  // Both kinds of history must be among them, or nothing was compared.
  assert(count < 3 || (good > 0 && good < histories));
}

function random<State, Input, Output>(
  model: Model<State, Input, Output>,
  kinds: readonly Kind<Input, Output>[],
  rounds: number,
  next: () => number,
): void {
  let good = 0;
  for (let round = 0; round < rounds; round++) {
    const count = 4 + Math.floor(next() * 4);
    const operations = randomOperations(kinds, count, next);
    if (!agreeing(model, operations)) continue;
    good++;
    // Many questions each: enough are asked.
    if (good % 4 === 1) staysGood(model, operations);
  }
  assert(good > 0 && good < rounds);
}

describe("every small history", () => {
  test("register, up to four operations", () => {
    for (const count of [1, 2, 3, 4]) all(kvModel(), register, count);
  }, 60_000);
  test("conditions and deletes, up to three operations", () => {
    for (const count of [1, 2, 3]) all(kvModel(), conditional, count);
  }, 60_000);
  test("revisions, up to three operations", () => all(kvModel(), revisions, 3), 60_000);
  test("counter, up to three operations", () => all(counterModel(), counter, 3), 60_000);
  test(
    "append-only list, up to three operations",
    () => all(appendListModel(), lists, 3),
    60_000,
  );
  test("bank, up to three operations", () => all(bankModel({ a: 1, b: 1 }), bank, 3), 60_000);
});

const ROUNDS = Number(process.env["ROUNDS"] ?? 4000);
describe("random histories of four to seven operations", () => {
  const seed = printedSeed("checker against the definition");
  const next = seededRandom(seed);
  test("register", () => random(kvModel(), register, ROUNDS, next), 60_000);
  test("conditions and deletes", () => random(kvModel(), conditional, ROUNDS, next), 60_000);
  test("revisions", () => random(kvModel(), revisions, ROUNDS, next), 60_000);
  test("counter", () => random(counterModel(), counter, ROUNDS, next), 60_000);
  test("append-only list", () => random(appendListModel(), lists, ROUNDS, next), 60_000);
  test("bank", () => random(bankModel({ a: 1, b: 1 }), bank, ROUNDS, next), 60_000);
});
