// What a committed entry may cost, in messages and in how often it is sent.
import { assertEquals } from "@std/assert";
import { test } from "bun:test";
import { brokenCost } from "../../lib/simulation/cost.ts";

test("both messages with entries and the entries in them are bounded, with room for changes of leaders", () => {
  const run = { committed: 70, leaders: 1, followers: 2 };
  // 2 × (70 + 10 + 20) have to be sent, each may be six times.
  assertEquals(brokenCost({ ...run, entryMessages: 1200, entriesSent: 1200 }), null);
  assertEquals(
    brokenCost({ ...run, entryMessages: 1201, entriesSent: 1200 }),
    "1201 messages with 1200 entries for 70 committed ones",
  );
  assertEquals(
    brokenCost({ ...run, entryMessages: 100, entriesSent: 1201 }),
    "100 messages with 1201 entries for 70 committed ones",
  );
  assertEquals(brokenCost({ ...run, leaders: 2, entryMessages: 1201, entriesSent: 1201 }), null);
});
