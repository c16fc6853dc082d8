// Log and state of two data folders, or of two times: found out before anything is applied or promised.
import { test } from "bun:test";
import { assertEquals, assertMatch } from "@std/assert";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import { mixtureOf } from "../../lib/replica/mixture.ts";
import { append, commitState, entriesFrom, logOn, someNode, soundState } from "../storage/support.ts";
import { deposit, started } from "./bank.ts";

/** A log of entries of these terms, and a state that has applied so much with such a last term. */
function found(
  terms: readonly number[],
  applied: number,
  appliedTerm: number,
  cluster = "c1",
): string | null {
  const disk = new MemoryDisk();
  const log = logOn(disk);
  log.saveNode({ ...someNode, clusterId: "c1" }, () => {});
  append(log, [], { currentTerm: 9, votedFor: null, withholdMs: 0 });
  for (const [at, term] of terms.entries()) append(log, entriesFrom(at + 1, 1, term));
  const state = soundState(disk.openState());
  for (let index = 1; index <= applied; index++) state.advance(index, index === applied ? appliedTerm : 1, 0);
  state.adopt(cluster, null);
  commitState(state);
  return mixtureOf(log, state);
}

test("a state that the log contains is no mixture, however far behind it is", () => {
  assertEquals(found([1, 1, 2], 3, 2), null);
  assertEquals(found([1, 1, 2], 2, 1), null);
  assertEquals(found([], 0, 0), null);
});

test("another cluster, a state ahead of the log, another term at its index: named, with how to mend it", () => {
  assertMatch(
    found([1], 1, 1, "c2") ?? "",
    /log\.sqlite is of cluster c1, state\.sqlite of c2.*move state\.sqlite/,
  );
  assertMatch(
    found([1, 1], 3, 1) ?? "",
    /log\.sqlite ends with entry 2, state\.sqlite has applied entry 3.*put/,
  );
  assertMatch(found([1, 2], 2, 1) ?? "", /entry 2 is of term 2 in log\.sqlite.*with term 1.*put/);
});

test("a replica that is given such a mixture does not begin", async () => {
  const world = await started();
  const leader = await world.elected();
  await world.settle(deposit(leader, 1));
  await world.run(1000);
  leader.kill();
  leader.disk.wipeState();
  const state = soundState(leader.disk.openState());
  for (let index = 1; index <= 99; index++) state.advance(index, 1, 0);
  commitState(state);
  leader.start();
  assertMatch(leader.fatal ?? "it began", /state\.sqlite has applied entry 99/);
});
