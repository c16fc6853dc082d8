// Histories known to be good and known to be bad, by the names the field has for them.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { checkHistory, explain, explanationText } from "../../../lib/simulation/linearizability/mod.ts";
import { modelOf, readHistory } from "./read-history.ts";

type Case = {
  readonly what: string;
  readonly model?: "counter" | "list" | "bank";
  /** client call–return input → output, times in order of the text. */
  readonly history: string;
  /** The operations that the explanation names, by line; none for a good history. */
  readonly bad?: readonly string[];
};

const good: Case[] = [
  { what: "one after the other", history: "a 0-1 put 1 | b 2-3 get=1 | a 4-5 put 2 | b 6-7 get=2" },
  { what: "nothing there yet", history: "a 0-1 get=null" },
  { what: "a read during a write sees the old value", history: "a 0-9 put 1 | b 2-3 get=null" },
  { what: "a read during a write sees the new value", history: "a 0-9 put 1 | b 2-3 get=1" },
  {
    what: "reads during two writes agree on an order",
    history: "a 0-9 put 1 | b 0-9 put 2 | c 2-3 get=2 | c 4-5 get=1",
  },
  {
    what: "an unknown write is seen much later",
    history: "a 0-? put 1 | b 1-2 put 2 | c 3-4 get=2 | c 5-6 get=1",
  },
  { what: "an unknown write is never seen", history: "a 0-? put 1 | b 1-2 put 2 | c 3-4 get=2" },
  { what: "a failed write is not seen", history: "a 0-1 put 1 | b 2-3 put! 2 | c 4-5 get=1" },
  {
    what: "of two swaps one is refused",
    history: "a 0-1 put 1 | b 2-9 cas 1 2 | c 2-9 cas! 1 3 | d 10-11 get=2",
  },
  { what: "operations that only touch overlap", history: "a 0-5 put 1 | b 5-6 get=null" },
  {
    what: "an unknown write between two swaps",
    history: "a 0-1 put 1 | b 2-3 cas 1 2 | c 2-? put 1 | d 4-5 cas 1 2",
  },
  {
    what: "unknown adds are counted once",
    model: "counter",
    history: "a 0-? add 1 | b 1-2 add 1 | c 3-4 get=1 | c 5-6 get=2",
  },
  {
    what: "appends in either order",
    model: "list",
    history: "a 0-5 append 1 | b 0-5 append 2 | c 6-7 read=2,1",
  },
];

const bad: Case[] = [
  { what: "stale read", history: "a 0-1 put 1 | a 2-3 put 2 | b 4-5 get=1", bad: ["#1", "#2", "#3"] },
  {
    what: "a write that was acknowledged is lost",
    history: "a 0-1 put 1 | b 2-3 get=null",
    bad: ["#1", "#2"],
  },
  {
    what: "dirty read: a failed write is seen",
    history: "a 0-1 put 1 | b 2-3 put! 2 | c 4-5 get=2 | a 6-7 get=2",
    bad: ["#3"],
  },
  {
    what: "time goes back: two reads during a write, the first sees it",
    history: "a 0-1 put 1 | b 2-99 put 2 | c 10-11 get=2 | d 12-13 get=1",
    bad: ["#1", "#2", "#3", "#4"],
  },
  {
    what: "split brain: two sides, each with its own value",
    history:
      "a 0-1 put 1 | b 2-3 put 2 | a 4-5 get=1 | b 4-5 get=2 | a 6-7 put 3 | b 8-9 get=2 | a 8-9 get=3",
    bad: ["#3", "#4"],
  },
  {
    what: "one swap too many: both found the same value",
    history: "a 0-1 put 1 | b 2-9 cas 1 2 | c 2-9 cas 1 3 | d 20-21 get=3",
    bad: ["#1", "#2", "#3"],
  },
  {
    what: "a deleted key is there again",
    history: "a 0-1 put 1 | b 2-3 delete | c 4-5 get=1",
    bad: ["#1", "#2", "#3"],
  },
  {
    what: "lost update",
    model: "counter",
    history: "a 0-9 add 1 | b 0-9 add 1 | c 10-11 get=1",
    bad: ["#1", "#2", "#3"],
  },
  {
    what: "an unknown add happened twice",
    model: "counter",
    history: "a 0-? add 1 | b 1-2 get=1 | b 3-4 get=2",
    bad: ["#1", "#3"],
  },
  {
    what: "two readers see appends in different orders",
    model: "list",
    history: "a 0-9 append 1 | b 0-9 append 2 | c 10-11 read=1,2 | d 10-11 read=2,1",
    bad: ["#1", "#2", "#3", "#4"],
  },
  {
    what: "money is made",
    model: "bank",
    history: "a 0-1 transfer a b 1 | b 2-3 balances=1,2",
    bad: ["#1", "#2"],
  },
];

describe("good histories", () => {
  for (const { what, model, history } of good) {
    test(what, () => {
      const chosen = modelOf(model);
      assertEquals(checkHistory(chosen, readHistory(chosen, history)).type, "linearizable");
    });
  }
});

describe("bad histories", () => {
  for (const { what, model, history, bad: expected } of bad) {
    test(what, () => {
      const chosen = modelOf(model);
      const verdict = checkHistory(chosen, readHistory(chosen, history));
      assertEquals(verdict.type, "not_linearizable");
      const [explanation] = explain(chosen, verdict);
      assert(explanation !== undefined);
      const named = explanation.bars.map(({ id }) => id).sort();
      assertEquals(
        named.every((id) => expected?.includes(id)),
        true,
        `${named} of ${expected}\n` + explanationText(explanation),
      );
    });
  }
});

describe("keys are apart", () => {
  test("one bad key is found among good ones and named", () => {
    const model = modelOf();
    const keys = Array.from({ length: 20 }, (_, index) => `k${index}`);
    const history = keys.flatMap((key) =>
      readHistory(model, `a 0-1 put 1 | b 2-3 get=${key === "k13" ? 2 : 1}`, key)
    );
    const verdict = checkHistory(model, history);
    assertEquals(verdict.partitions.filter(({ type }) => type !== "linearizable").map(({ key }) => key), [
      "k13",
    ]);
  });
});

describe("bounds", () => {
  test("a search that takes too long is undecided, not wrong", () => {
    const model = modelOf("counter");
    const adds = Array.from({ length: 18 }, (_, index) => `a${index} 0-? add ${2 ** index}`).join(" | ");
    const history = readHistory(model, `${adds} | r 1-2 get=-1`);
    assertEquals(checkHistory(model, history, { maxSteps: 1000 }).type, "undecided");
    assertEquals(checkHistory(model, history, { maxSituations: 100 }).type, "undecided");
  });
});
