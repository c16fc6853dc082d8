// Histories too large for the oracle: a correct store's are proven good by the order that is found, and one wrong
// answer among thousands is found.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { checkHistory, kvModel } from "../../../lib/simulation/linearizability/mod.ts";
import { printedSeed, seededRandom } from "../../support/random.ts";
import { answeredReads, distinct, fewValues, kvHistory, withAnswer } from "./generated-kv.ts";
import { verifyOrder } from "./oracle.ts";

const shape = { operations: 4000, clients: 6, keys: 2, unknownShare: 0.05 };
const seed = printedSeed("generated histories");

describe("generated histories", () => {
  for (const input of [distinct, fewValues]) {
    test(`a correct store's are good: ${input.name}`, () => {
      const verdict = checkHistory(kvModel(), kvHistory({ ...shape, input }, seededRandom(seed)));
      assertEquals(verdict.type, "linearizable");
      for (const partition of verdict.partitions) {
        assert(partition.type === "linearizable");
        verifyOrder(kvModel(), partition.operations, partition.order);
      }
    });
  }
});

// In steps, not seconds: the same on every machine. Measured: 10 to 35 steps an operation where it is good; with a wrong read
// the 3 million of the first attempt, and then a short proof.
describe("tens of thousands of operations on one key are decided", () => {
  const large = { operations: 30_000, clients: 8, keys: 1, unknownShare: 0.05 };
  const maxSteps = 10_000_000;
  for (const input of [distinct, fewValues]) {
    test(`good, and with one wrong read: ${input.name}`, () => {
      const history = kvHistory({ ...large, input }, seededRandom(seed));
      assertEquals(checkHistory(kvModel(), history, { maxSteps }).type, "linearizable");
      const reads = answeredReads(history, "key0");
      const victim = reads[Math.floor(reads.length * 0.9)];
      assert(victim !== undefined);
      const bad = checkHistory(kvModel(), withAnswer(history, victim, '"nobody wrote this"'), { maxSteps });
      assertEquals(bad.type, "not_linearizable");
    }, 120_000);
  }
});
