// A follower's questions for an index: which answer is one for which reads, and when it asks again.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { AskedLeader } from "../../lib/replica/asked-leader.ts";

type Read = { readonly name: string; settled: boolean };

const read = (name: string): Read => ({ name, settled: false });
const names = (reads: readonly Read[]) => reads.map(({ name }) => name).join("");

describe("what a follower asked its leader for", () => {
  test("an answer is one for the reads that were there when it was asked for, no other", () => {
    const asked = new AskedLeader<Read>(100);
    asked.asked("n1", 1, [read("a"), read("b")], 0);
    asked.asked("n1", 2, [read("c")], 100);
    asked.asked("n1", 3, [read("d")], 300);
    assertEquals(names(asked.answered("n1", 9, 310)), "");
    assertEquals(names(asked.answered("n2", 1, 310)), "");
    assertEquals([names(asked.answered("n1", 2, 310)), names(asked.reads)], ["abc", "d"]);
    assertEquals(names(asked.answered("n1", 1, 320)), "", "answered by a later one");
    assertEquals([names(asked.answered("n1", 3, 330)), names(asked.reads)], ["d", ""]);
    assertEquals(names(asked.answered("n1", 3, 340)), "", "a duplicate");
  });

  test("reads that ended by themselves are let go, and the rest keeps its answers", () => {
    const asked = new AskedLeader<Read>(100);
    const [a, b, c] = [read("a"), read("b"), read("c")];
    asked.asked("n1", 1, [a], 0);
    asked.asked("n1", 2, [b, c], 100);
    a.settled = b.settled = true;
    asked.prune();
    assertEquals(names(asked.reads), "c");
    assertEquals(names(asked.answered("n1", 1, 150)), "", "all that it was for have ended");
    assertEquals(names(asked.answered("n1", 2, 150)), "c");
  });

  test("another leader is asked anew: answers of the old one count no more, not even under the same id", () => {
    const asked = new AskedLeader<Read>(100);
    asked.asked("n1", 1, [read("a")], 0);
    assertEquals(names(asked.takeBackUnlessAskedOf("n1")), "");
    assertEquals(names(asked.takeBackUnlessAskedOf(null)), "a");
    assertEquals(asked.mayAsk(1), true);
    asked.asked("n2", 2, [read("a")], 1);
    assertEquals(names(asked.answered("n1", 1, 2)), "");
    assertEquals(names(asked.answered("n1", 2, 2)), "");
    assertEquals(names(asked.answered("n2", 2, 2)), "a");
  });

  test("waits double while nothing comes, follow what an answer took, and are bounded", () => {
    const asked = new AskedLeader<Read>(100);
    const waits: number[] = [];
    for (let now = 0, since = 0, id = 1; waits.length < 7; now += 10) {
      if (!asked.mayAsk(now)) continue;
      if (id > 1) waits.push(now - since);
      asked.asked("n1", id++, [read("r")], now);
      since = now;
    }
    assertEquals(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
    asked.takeBack();
    asked.asked("n1", 100, [read("r")], 10_000);
    asked.answered("n1", 100, 10_300);
    asked.asked("n1", 101, [read("r")], 11_000);
    assertEquals([asked.mayAsk(11_599), asked.mayAsk(11_600)], [false, true]);
    asked.answered("n1", 101, 60_000);
    asked.asked("n1", 102, [read("r")], 61_000);
    assertEquals([asked.mayAsk(62_999), asked.mayAsk(63_000)], [false, true]);
  });
});
