// Disks that fill: below the reserve no writes, below its lower half no entries; votes, reads and a restart go on (design §4).
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { deposit, started } from "./bank.ts";

test("a nearly full disk refuses writes; reads, votes and the end of the alarm still work", async () => {
  const world = await started();
  for (const node of world.nodes.values()) node.disk.freeBytes = 1000;
  await world.run(1100);
  const leader = await world.elected();
  assertEquals(await world.settle(deposit(leader, 1)), { type: "refused", reason: "disk_full" });
  const permit = await world.settle(leader.replica.read({ type: "linearizable" }, { timeoutMs: 500 }));
  assert(permit.ok);
  leader.kill();
  const next = await world.elected();
  for (const node of world.nodes.values()) node.disk.freeBytes = Infinity;
  await world.run(1100);
  assertEquals((await world.settle(deposit(next, 1))).type, "done");
});
