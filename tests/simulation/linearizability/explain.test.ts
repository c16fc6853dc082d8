// Explanations for people: a handful of operations with the culprit among them, however long the history is, and no
// sentence that is not true of it.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type AnyModel,
  checkHistory,
  explain,
  type Explanation,
  explanationHtml,
  explanationText,
  kvModel,
  type Operation,
} from "../../../lib/simulation/linearizability/mod.ts";
import { printedSeed, seededRandom } from "../../support/random.ts";
import {
  answeredReads,
  distinct,
  fewValues,
  kvHistory,
  type KvOperation,
  withAnswer,
} from "./generated-kv.ts";
import { modelOf, readHistory } from "./read-history.ts";

const seed = printedSeed("explanations");

function explained(model: AnyModel, history: readonly Operation<unknown, unknown>[]): Explanation {
  const [explanation] = explain(model, checkHistory(model, history));
  assert(explanation !== undefined, "it is linearizable");
  return explanation;
}

function ids(explanation: Explanation): string[] {
  return explanation.bars.map(({ id }) => id).sort();
}

/** The explanation of a kv history in which one read is wrong, once it is known to be short and to show that read. */
function shortlyExplained(history: readonly KvOperation[], victim: KvOperation, most = 8): Explanation {
  const [explanation] = explain(kvModel(), checkHistory(kvModel(), history));
  assert(explanation !== undefined, "it is linearizable");
  const text = explanationText(explanation);
  assert(explanation.bars.length <= most, text);
  assertEquals(explanation.together, explanation.bars.length);
  assert(explanation.bars.some(({ id }) => id === victim.id), `the wrong answer is among them\n${text}`);
  // What the sentences name is drawn.
  const drawn = new Set(explanation.bars.map(({ id }) => id));
  for (const step of explanation.order ?? []) assert(drawn.has(step.split(" ")[0] ?? ""), text);
  return explanation;
}

describe("among compare-and-swaps", () => {
  test("a read of what nobody wrote is shown alone", () => {
    const model = modelOf();
    const writes = Array.from(
      { length: 30 },
      (_, at) => `a ${4 * at}-${4 * at + 1} put ${at} | b ${4 * at + 2}-${4 * at + 3} cas ${at} ${at + 100}`,
    );
    const explanation = explained(model, readHistory(model, `${writes.join(" | ")} | c 900-901 get=99`));
    assertEquals(ids(explanation), ["#61"]);
    assertStringIncludes(explanationText(explanation), "1 of 61 operations cannot be put in any order");
  });

  test("a stale read is shown with what overwrote the value", () => {
    const model = modelOf();
    const writes = Array.from({ length: 40 }, (_, at) => `a ${2 * at}-${2 * at + 1} cas ${at} ${at + 1}`);
    const history = `a 0-0 put 0 | ${writes.slice(1).join(" | ").replaceAll("cas 1 2", "cas 0 2")}`;
    const explanation = explained(model, readHistory(model, `${history} | c 900-901 get=20`));
    assert(explanation.bars.length <= 3, explanationText(explanation));
    assert(ids(explanation).includes("#41"));
  });
});

describe("long histories", () => {
  const shape = { operations: 4000, clients: 6, keys: 2, unknownShare: 0.05 };

  test("one stale read among distinct values", () => {
    const history = kvHistory({ ...shape, input: distinct }, seededRandom(seed));
    const reads = answeredReads(history, "key1");
    // A value that was overwritten, and seen to be, hundreds of operations ago.
    const victim = reads[600], old = reads[300];
    assert(victim !== undefined && old?.outcome.type === "ok" && old.outcome.output.type === "value");
    const explanation = shortlyExplained(withAnswer(history, victim, old.outcome.output.value), victim);
    assertEquals(explanation.key, "key1");
  });

  test("one read of a value that nobody wrote, among few values", () => {
    const history = kvHistory({ ...shape, input: fewValues }, seededRandom(seed));
    const victim = answeredReads(history, "key1")[500];
    assert(victim !== undefined);
    assertEquals(shortlyExplained(withAnswer(history, victim, '"9"'), victim).bars.length, 1);
  });

  // Each of the values was written hundreds of times before: what came before has to be forgotten as a whole.
  test("one stale read among few values", () => {
    const known = { ...shape, unknownShare: 0, input: fewValues };
    const history = kvHistory(known, seededRandom(seed));
    const bars: number[] = [];
    for (const victim of answeredReads(history, "key1").slice(500)) {
      for (const value of ["0", "1", "2", "3"]) {
        const spoiled = withAnswer(history, victim, value);
        if (checkHistory(kvModel(), spoiled).type === "linearizable") continue;
        bars.push(shortlyExplained(spoiled, victim, 24).bars.length);
        if (bars.length < 5) continue;
        // Of 300, 97 % had at most 8 and the longest 12: where six clients overlap for long, it takes them all.
        assert((bars.sort((a, b) => a - b)[2] ?? Infinity) <= 8, String(bars));
        return;
      }
    }
    throw new Error("every answer would have been right");
  }, 60_000);

  test("a page of 50,000 operations with one wrong read is small", () => {
    const large = { operations: 50_000, clients: 8, keys: 4, unknownShare: 0.05, input: fewValues };
    const history = kvHistory(large, seededRandom(seed));
    const victim = answeredReads(history, "key2")[4000];
    assert(victim !== undefined);
    const explanation = shortlyExplained(withAnswer(history, victim, '"9"'), victim);
    assert(explanationHtml("history", [explanation]).length < 20_000);
  }, 60_000);

  test("a counter that lost one of thousands of adds", () => {
    const model = modelOf("counter");
    const adds = Array.from(
      { length: 3000 },
      (_, at) =>
        at % 3 === 2
          ? `a ${9 * at}-${9 * at + 1} get=${Math.floor(at / 3) * 3 + 3 - (at > 2000 ? 1 : 0)}`
          : `b ${9 * at}-${9 * at + 1} add ${at % 3 + 1}`,
    );
    const explanation = explained(model, readHistory(model, adds.join(" | ")));
    assert(explanation.bars.length <= 4, explanationText(explanation));
  }, 60_000);
});

describe("what is said is true", () => {
  test("where it needs more than can be drawn, the culprit is drawn, and the rest is counted", () => {
    const model = modelOf("bank");
    const moves = Array.from(
      { length: 100 },
      (_, at) =>
        at % 2 === 0
          ? `a ${2 * at}-${2 * at + 1} transfer a b 1`
          : `a ${2 * at}-${2 * at + 1} transfer b a 1`,
    );
    const explanation = explained(model, readHistory(model, `${moves.join(" | ")} | c 900-901 balances=0,2`));
    assert(explanation.bars.length <= 40);
    assert(explanation.bars.some(({ blocked }) => blocked));
    const text = explanationText(explanation);
    assertMatch(text, /◀ does not fit|^ *> /m);
    assertStringIncludes(text, `${explanation.together} of 101 operations cannot be put in any order`);
  });

  test("a value that was written only after it was read", () => {
    const model = modelOf();
    const explanation = explained(model, readHistory(model, "a 0-1 put 1 | b 2-3 get=2 | a 4-5 put 2"));
    assertEquals(ids(explanation), ["#2", "#3"]);
    assertStringIncludes(explanationText(explanation), "#3 put 2 was called only after");
  });

  test("in the initial state only where nothing was left out", () => {
    const model = modelOf();
    const text = explanationText(
      explained(model, readHistory(model, "a 0-1 put 1 | a 2-3 put 2 | b 4-5 put 3 | b 6-7 get=1")),
    );
    assert(!text.includes("Nothing can come first"), text);
    assertStringIncludes(text, "Whatever came before");
  });
});
