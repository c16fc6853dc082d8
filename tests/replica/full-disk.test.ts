// Disks that fill: below the reserve no writes, below its lower half no entries; votes, reads and a restart go on (design §4).
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { encodeTransaction } from "../../examples/bank.ts";
import type { Outcome } from "../../lib/replica/api.ts";
import { balance, type Bank, deposit, follower, type Node, nothingWaits, started } from "./bank.ts";

const MiB = 1024 * 1024;
const reserveBytes = MiB;
const limits = { reserveBytes };

/** A deposit of a cent whose entry has some 8 KiB. */
function large(node: Node, at: number, timeoutMs = 2000): Promise<Outcome> {
  const to = `${at} ${"x".repeat(8 * 1024)}`;
  return node.replica.propose(encodeTransaction({ type: "deposit", to, cents: 1 }), { timeoutMs });
}

/** So many, a few at a time; all must be done. */
async function load(world: Bank, node: Node, count: number): Promise<void> {
  for (let at = 0; at < count; at += 10) {
    const some = await world.settle(
      Promise.all(Array.from({ length: 10 }, (_, more) => large(node, at + more))),
    );
    assertEquals(some.map(({ type }) => type), some.map(() => "done"));
  }
}

const applied = (node: Node) => node.replica.status().appliedIndex;

test("a nearly full disk refuses writes; reads, votes and the end of the alarm still work", async () => {
  const world = await started();
  for (const node of world.nodes.values()) node.disk.freeBytes = MiB;
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

for (const fsyncMs of [0, 3]) {
  test(`a follower without room stays up, votes, and catches up when there is room (fsync ${fsyncMs} ms)`, async () => {
    const world = await started({ limits, fsyncMs });
    const leader = await world.elected();
    const [full, other] = world.followers();
    assert(full !== undefined && other !== undefined);
    const { term } = leader.replica.status();
    full.disk.leftBytes = 3 * MiB;
    await world.run(1100);
    await load(world, leader, 600);
    assertEquals(full.fatal, null);
    assert(full.replica.status().diskFull && applied(full) < applied(leader) - 100);
    assert(full.disk.leftBytes >= reserveBytes / 8, `${full.disk.leftBytes} bytes left`);
    // It follows all the same: no election, and reads that it serves itself once it has caught up.
    assertEquals([full.replica.status().term, full.replica.status().role], [term, "follower"]);

    // What it does not take is offered again, but rarely.
    const before = leader.sent.length;
    await world.run(10_000);
    const offered = leader.sent.slice(before).filter((message) =>
      message.type === "AppendEntries" && message.to === full.replica.status().replica &&
      message.entries.length > 0
    );
    assert(offered.length > 5 && offered.length < 40, `offered ${offered.length} times in ten seconds`);

    leader.kill();
    await world.until("it votes for the other", () => other.replica.status().role === "leader", 3000);
    full.disk.leftBytes = Infinity;
    await world.until(
      "it has caught up",
      () => applied(full) === applied(other) && applied(full) > 600,
      10_000,
    );
    assertEquals((await world.settle(deposit(full, 1))).type, "done");
    assertEquals(full.replica.query({ type: "total" }), 601);
    nothingWaits(world);
  });
}

test("a burst within one turn does not use the reserve up", async () => {
  const world = await started({ limits });
  const leader = await world.elected();
  leader.disk.leftBytes = 3 * MiB;
  await world.run(1100);
  const outcomes = await world.settle(
    Promise.all(Array.from({ length: 2000 }, (_, at) => large(leader, at))),
  );
  const endings = new Set(
    outcomes.map((outcome) => outcome.type === "refused" ? outcome.reason : outcome.type),
  );
  assertEquals([...endings].sort(), ["disk_full", "done"]);
  assert(leader.disk.leftBytes >= reserveBytes / 2, `${leader.disk.leftBytes} bytes left`);
  assertEquals(leader.fatal, null);
});

test("a majority without room: no write is done, none is lost, reads go on", async () => {
  const world = await started({ limits });
  const leader = await world.elected();
  await world.settle(deposit(leader, 5));
  for (const node of world.followers()) node.disk.freeBytes = 1000;
  await world.run(1100);
  const waiting = deposit(leader, 1, 800);
  assertEquals(await world.settle(waiting), { type: "unknown", reason: "deadline" });
  // From then on the answer is definite, whoever is asked.
  assertEquals(await world.settle(deposit(leader, 1)), { type: "refused", reason: "overloaded" });
  assertEquals(await world.settle(deposit(follower(world), 1)), { type: "refused", reason: "disk_full" });
  const permit = await world.settle(leader.replica.read({ type: "linearizable" }, { timeoutMs: 500 }));
  assert(permit.ok);
  assertEquals(balance(leader), 5);
  for (const node of world.nodes.values()) node.disk.freeBytes = Infinity;
  await world.until("the write that waited is done", () => balance(follower(world)) === 6);
  assertEquals((await world.settle(deposit(leader, 1))).type, "done");
});

test("with next to nothing left it starts, votes and stops; the state is committed when there is room again", async () => {
  const world = await started({ limits });
  const leader = await world.elected();
  await load(world, leader, 50);
  const full = follower(world);
  await world.until(
    "it has everything",
    () => full.replica.status().durableIndex === applied(leader),
  );
  full.kill();
  full.disk.leftBytes = 64 * 1024;
  full.start();
  await world.run(3000);
  assertEquals(full.fatal, null);
  assertEquals(applied(full), applied(leader));
  leader.kill();
  await world.until("another leads", () => world.leader() !== undefined);
  await world.run(1000);
  assertEquals(full.fatal, null);
  await world.settle(full.replica.stop(1000));
  assertEquals(full.fatal, null);
  full.kill();
  full.start();
  full.disk.leftBytes = Infinity;
  await world.run(3000);
  full.kill();
  full.start();
  assert(applied(full) > 50, `the state began at ${applied(full)}`);
});
