// Three replicas of a bank (examples/bank.ts): writes and reads through any of them, and what becomes of both when
// leaders die, links break and disks fill.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bank, receiptOf } from "../../examples/bank.ts";
import type { Applied } from "../../lib/replica/api.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import {
  balance,
  type Bank,
  deposit,
  follower,
  type Node,
  nothingWaits,
  started,
  successor,
} from "./bank.ts";
import { World } from "./world.ts";

for (const fsyncMs of [0, 3]) {
  describe(`a bank of three (fsync ${fsyncMs} ms)`, () => {
    test("writes through every node, linearizable reads on every node", async () => {
      const world = await started({ fsyncMs });
      let sum = 0;
      for (let round = 1; round <= 5; round++) {
        for (const node of world.nodes.values()) {
          sum += round;
          const outcome = await world.settle(deposit(node, round));
          assert(outcome.type === "done");
          assertEquals(receiptOf(outcome.result), { ok: true, balance: sum });
          for (const reader of world.nodes.values()) {
            const permit = await world.settle(
              reader.replica.read({ type: "linearizable" }, { timeoutMs: 1000 }),
            );
            assert(permit.ok && permit.index >= outcome.index);
            assertEquals(balance(reader), sum);
          }
        }
      }
      await world.run(200);
      const hashes = [...world.nodes.values()].map((node) => node.replica.stateHash());
      assertEquals(new Set(hashes).size, 1);
      nothingWaits(world);
    });

    test("a thousand writes at once share a few transactions", async () => {
      const world = await started({ fsyncMs });
      const nodes = [...world.nodes.values()];
      const outcomes = Array.from({ length: 1000 }, (_, at) => deposit(nodes[at % 3] as Node, 1));
      const ended = await world.settle(Promise.all(outcomes));
      assertEquals(ended.filter((outcome) => outcome.type === "done").length, 1000);
      await world.run(200);
      for (const node of nodes) assertEquals(balance(node), 1000);
      nothingWaits(world);
    });

    test("leaders are killed again and again: acknowledged writes stay, refused ones are not there", async () => {
      const world = await started({ fsyncMs });
      const ended = { done: 0, refused: 0, unknown: 0 };
      const pending: Promise<void>[] = [];
      for (let round = 0; round < 6; round++) {
        for (let at = 0; at < 40; at++) {
          for (const node of world.nodes.values()) {
            if (!node.running) continue;
            pending.push(deposit(node, 1, 1500).then(({ type }) => void ended[type]++));
          }
          await world.run(2);
          if (at !== 20) continue;
          const leader = world.leader();
          if (leader === undefined) continue;
          leader.kill();
          await world.run(world.random() * 600);
          leader.start();
        }
      }
      await world.run(5000);
      await world.elected();
      const after = await world.settle(deposit(follower(world), 1));
      assert(after.type === "done");
      await world.run(500);
      const reached = new Set([...world.nodes.values()].map(balance));
      assertEquals(reached.size, 1);
      const [sum = 0] = reached;
      // Waiters of killed processes never end; all of theirs may be in.
      const open = pending.length - ended.done - ended.refused - ended.unknown;
      assert(sum - 1 >= ended.done, `${sum} in, ${ended.done} acknowledged`);
      assert(
        sum - 1 <= ended.done + ended.unknown + open,
        `${sum} in, at most ${ended.done} + ${ended.unknown}`,
      );
      assert(ended.done > 100, JSON.stringify(ended));
      nothingWaits(world);
    });
  });
}

describe("the three endings of a write", () => {
  test("refused no_leader: queued without a leader until its deadline, and never done", async () => {
    const world = await started();
    const cut = follower(world);
    world.isolate(cut.id);
    await world.run(1500);
    const outcome = await world.settle(deposit(cut, 1, 300), 320);
    assertEquals(outcome, { type: "refused", reason: "no_leader" });
    world.network.healAll();
    await world.elected();
    await world.run(1000);
    assertEquals(balance(cut), 0);
    nothingWaits(world);
  });

  test("a queued write is done once a leader is known again within its deadline", async () => {
    const world = await started();
    const cut = follower(world);
    world.isolate(cut.id);
    await world.run(1500);
    const outcome = deposit(cut, 7, 3000);
    await world.run(300);
    world.network.healAll();
    assertEquals((await world.settle(outcome)).type, "done");
    assertEquals(balance(cut), 7);
    nothingWaits(world);
  });

  test("unknown link_lost: the link breaks with the forward on it", async () => {
    const world = await started();
    const node = follower(world);
    const outcome = deposit(node, 1);
    const leader = world.leader();
    await world.until("it is forwarded", () => node.sent.some(({ type }) => type === "Forward"));
    world.network.cut(node.id, leader?.id ?? "");
    assertEquals(await world.settle(outcome), { type: "unknown", reason: "link_lost" });
    world.network.healAll();
    await world.run(500);
    nothingWaits(world);
  });

  test("unknown deadline: the leader's answer never comes; the forward is not sent again", async () => {
    const world = await started();
    const node = follower(world);
    node.drop = ({ type }) => type === "Forward";
    const outcome = await world.settle(deposit(node, 1, 600), 620);
    assertEquals(outcome, { type: "unknown", reason: "deadline" });
    node.drop = () => false;
    await world.run(1000);
    assertEquals(node.sent.filter(({ type }) => type === "Forward").length, 1);
    assertEquals(balance(node), 0);
    nothingWaits(world);
  });

  test("the waiters of a leader without a majority: unknown at the deadline, or what became of their place", async () => {
    const world = await started();
    const old = await world.elected();
    world.isolate(old.id, { silent: true });
    const short = deposit(old, 1, 200);
    const long = deposit(old, 2, 20_000);
    assertEquals(await world.settle(short, 220), { type: "unknown", reason: "deadline" });
    const leader = await successor(world, old);
    assertEquals((await world.settle(deposit(leader, 10))).type, "done");
    world.network.healAll();
    // Another term's entry was committed at its place: definitely not done, though it was in a log.
    assertEquals(await world.settle(long), { type: "refused", reason: "no_leader" });
    await world.run(500);
    for (const node of world.nodes.values()) assertEquals(balance(node), 10);
    nothingWaits(world);
  });

  test("a write that waits in a deposed leader's log is done when it survives there", async () => {
    const world = await started();
    const old = await world.elected();
    // Its entries arrive, the acknowledgements do not come back.
    for (const node of world.followers()) node.drop = ({ type }) => type === "AppendEntriesReply";
    const outcome = deposit(old, 5, 20_000);
    await successor(world, old);
    for (const node of world.nodes.values()) node.drop = () => false;
    assertEquals((await world.settle(outcome)).type, "done");
    await world.run(500);
    for (const node of world.nodes.values()) assertEquals(balance(node), 5);
    nothingWaits(world);
  });

  test("a leader's answer that comes after its entry was applied still finds the result", async () => {
    const world = await started();
    const leader = await world.elected();
    const node = follower(world);
    const held: PeerMessage[] = [];
    leader.drop = (message) => message.type === "ForwardReply" && held.push(message) > 0;
    const before = node.replica.status().appliedIndex;
    const outcome = deposit(node, 6);
    await world.until(
      "it is applied",
      () => node.replica.status().appliedIndex > before && balance(node) === 6,
    );
    leader.drop = () => false;
    const [reply] = held;
    if (reply === undefined) throw new Error("no answer was held back");
    leader.say(node.id, reply);
    const ended = await world.settle(outcome);
    assert(ended.type === "done");
    assertEquals(receiptOf(ended.result), { ok: true, balance: 6 });
    nothingWaits(world);
  });

  test("past the bounds it is refused at once", async () => {
    const world = await started({ limits: { maxProposals: 10, maxProposalBytes: 1000 } });
    const leader = await world.elected();
    const outcomes = Array.from({ length: 12 }, () => deposit(leader, 1));
    const ended = await world.settle(Promise.all(outcomes));
    assertEquals(ended.map(({ type }) => type).filter((type) => type === "done").length, 10);
    assertEquals(ended[11], { type: "refused", reason: "overloaded" });
    nothingWaits(world);
  });
});

describe("reads", () => {
  test("an isolated leader and an isolated follower refuse in bounded time (etcd#741)", async () => {
    const world = await started();
    const leader = await world.elected();
    world.isolate(leader.id, { silent: true });
    const reads = [
      leader.replica.read({ type: "linearizable" }, { timeoutMs: 400 }),
      leader.replica.read({ type: "linearizable" }, { timeoutMs: 800 }),
    ];
    for (const permit of await world.settle(Promise.all(reads), 820)) assert(!permit.ok);
    world.network.healAll();
    await world.elected();
    const cut = follower(world);
    world.isolate(cut.id, { silent: true });
    const permit = await world.settle(cut.replica.read({ type: "linearizable" }, { timeoutMs: 400 }), 420);
    assert(!permit.ok);
    nothingWaits(world);
  });

  test("many reads of a follower in one turn are one ReadIndex", async () => {
    const world = await started();
    const node = follower(world);
    await world.run(100);
    const before = node.sent.filter(({ type }) => type === "ReadIndex").length;
    const reads = Array.from(
      { length: 100 },
      () => node.replica.read({ type: "linearizable" }, { timeoutMs: 500 }),
    );
    for (const permit of await world.settle(Promise.all(reads))) assert(permit.ok);
    assertEquals(node.sent.filter(({ type }) => type === "ReadIndex").length - before, 1);
  });

  test("a lost ReadIndex is asked again under a new id; the leader's death moves the read to the next", async () => {
    const world = await started();
    const node = follower(world);
    const ids = () => node.sent.flatMap((said) => said.type === "ReadIndex" ? [said.requestId] : []);
    let dropped = 0;
    node.drop = ({ type }) => type === "ReadIndex" && dropped++ < 1;
    const permit = await world.settle(node.replica.read({ type: "linearizable" }, { timeoutMs: 1000 }));
    assert(permit.ok);
    assertEquals(new Set(ids()).size, ids().length);
    assertEquals(ids().length, 2);
    const read = node.replica.read({ type: "linearizable" }, { timeoutMs: 4000 });
    world.leader()?.kill();
    assert((await world.settle(read)).ok);
    nothingWaits(world);
  });

  test("over links slower than a heartbeat a follower's reads are answered by the first answer, and few are asked for", async () => {
    const world = await started();
    const node = follower(world);
    world.lagMs = 90;
    await world.run(1000);
    node.sent.length = 0;
    for (let nth = 0; nth < 10; nth++) {
      const began = world.timeline.now;
      // Another one comes while the first is asked for: the next answer is for it.
      const first = node.replica.read({ type: "linearizable" }, { timeoutMs: 2000 });
      await world.run(60);
      const second = node.replica.read({ type: "linearizable" }, { timeoutMs: 2000 });
      assert((await world.settle(first)).ok);
      const took = world.timeline.now - began;
      assert(took < 4 * (world.lagMs + 2) + 60, `the first took ${took} ms`);
      assert((await world.settle(second)).ok);
    }
    const asked = node.sent.filter(({ type }) => type === "ReadIndex").length;
    assert(asked <= 30, `${asked} times was asked for 20 reads`);
    nothingWaits(world);
  });

  test("a stale read says how old it is, and is refused when it is too old", async () => {
    const world = await started();
    const node = follower(world);
    await world.run(500);
    const fresh = await world.settle(
      node.replica.read({ type: "stale", maxStalenessMs: 300 }, { timeoutMs: 0 }),
    );
    assert(fresh.ok && fresh.stalenessMs !== null && fresh.stalenessMs < 300);
    world.isolate(node.id, { silent: true });
    await world.run(2000);
    const stale = await world.settle(
      node.replica.read({ type: "stale", maxStalenessMs: null }, { timeoutMs: 0 }),
    );
    assert(stale.ok && stale.stalenessMs !== null && stale.stalenessMs >= 2000);
    const refused = await world.settle(
      node.replica.read({ type: "stale", maxStalenessMs: 1000 }, { timeoutMs: 0 }),
    );
    assertEquals(refused, { ok: false, reason: "too_stale" });
  });

  test("a lease read needs no message; a machine that was suspended has no lease (tikv#964)", async () => {
    const world = await started();
    const leader = await world.elected();
    await world.run(500);
    // Right after a heartbeat round: nothing is sent for the read itself.
    const before = leader.sent.length;
    const permit = await world.settle(leader.replica.read({ type: "lease" }, { timeoutMs: 500 }), 0);
    assert(permit.ok);
    assertEquals(leader.sent.length, before);

    leader.pause();
    const thaw = leader.clock.freeze();
    const next = await successor(world, leader);
    assertEquals((await world.settle(deposit(next, 9))).type, "done");
    thaw();
    // Asked before it has heard of anything: its monotonic clock says that no time has passed.
    const read = leader.replica.read({ type: "lease" }, { timeoutMs: 3000 });
    leader.resume();
    const answer = await world.settle(read);
    if (answer.ok) assertEquals(balance(leader), 9);
  });

  test("after a pause the heartbeat in the socket is seen before the election timer (bug 38)", async () => {
    const world = await started();
    await world.run(500);
    for (let round = 0; round < 10; round++) {
      const node = follower(world);
      const { term } = node.replica.status();
      const asked = () => node.sent.filter(({ type }) => type === "RequestVote").length;
      const before = asked();
      node.pause();
      await world.run(1000);
      node.resume();
      await world.run(300);
      assertEquals(asked(), before);
      assertEquals(node.replica.status().term, term);
    }
  });
});

describe("the stream of what was applied", () => {
  test("is the same on every node, in order, once each", async () => {
    const world = await started();
    await world.run(200);
    const streams = [...world.nodes.values()].map((node) => {
      const stream: Applied[] = [];
      node.replica.subscribe((applied) => stream.push(applied));
      return stream;
    });
    for (const node of world.nodes.values()) await world.settle(deposit(node, 3));
    await world.run(300);
    const [first = []] = streams;
    assertEquals(first.length, 3);
    for (const stream of streams) assertEquals(stream, first);
    assertEquals(first.map(({ index }) => index - (first[0]?.index ?? 0)), [0, 1, 2]);
  });
});

describe("ends", () => {
  test("stop hands leadership over first, and refuses what comes later", async () => {
    const world = await started();
    const leader = await world.elected();
    const { term } = leader.replica.status();
    const writes = Array.from({ length: 20 }, () => deposit(leader, 1));
    const stopped = leader.replica.stop(3000);
    assertEquals(await world.settle(deposit(leader, 1)), { type: "refused", reason: "stopping" });
    await world.settle(stopped, 1000);
    for (const outcome of await world.settle(Promise.all(writes))) assertEquals(outcome.type, "done");
    assertEquals(leader.replica.status().phase, "stopped");
    leader.kill();
    const next = await world.elected();
    assertEquals(next.replica.status().term, term + 1);
    await world.run(200);
    assertEquals(balance(next), 20);
    // What was applied is in the state that it left behind.
    leader.start();
    await world.elected();
    await world.run(200);
    assertEquals(balance(leader), 20);
    nothingWaits(world);
  });

  test("stop of one that can reach nobody ends within its time; what is in flight is unknown", async () => {
    const world = await started();
    const leader = await world.elected();
    world.isolate(leader.id, { silent: true });
    const write = deposit(leader, 1, 10_000);
    await world.settle(leader.replica.stop(1000), 1020);
    assertEquals(await world.settle(write, 0), { type: "unknown", reason: "stopping" });
  });

  test("a failed fsync ends the replica: fatal, nothing more is promised", async () => {
    const world = await started();
    const leader = await world.elected();
    leader.disk.failCommit("log", 1, new Error("EIO"));
    const outcome = await world.settle(deposit(leader, 1));
    assertEquals(outcome, { type: "unknown", reason: "stopping" });
    assertEquals(leader.replica.status().phase, "failed");
    assert(leader.fatal?.includes("EIO"));
    const sent = leader.sent.length;
    await world.run(1000);
    assertEquals(leader.sent.length, sent);
    assertEquals(
      (await world.settle(leader.replica.read({ type: "linearizable" }, { timeoutMs: 100 }))).ok,
      false,
    );
  });

  test("a leader whose disk hangs is succeeded (hashicorp/raft#503)", async () => {
    const world = await started({ fsyncMs: 1 });
    const leader = await world.elected();
    leader.disk.stall("log");
    const write = deposit(leader, 1, 8000);
    // It leads for 250 ms at most, its followers wait up to 500; a lost election costs a short draw more.
    const others = [...world.nodes.values()].filter((node) => node !== leader);
    await world.until(
      "another leads",
      () => others.some((node) => node.replica.status().role === "leader"),
      1500,
    );
    leader.disk.resume("log");
    assert((await world.settle(write)).type !== "unknown");
    await world.run(300);
    nothingWaits(world);
  });

  test("reads on a leader whose disk hangs wait for ticks: its loop does not turn round and round", async () => {
    const world = await started({ fsyncMs: 1 });
    const leader = await world.elected();
    leader.disk.stall("log");
    const writes: Promise<unknown>[] = [];
    // As many transactions as may be under way: what the core decides from now on is heard only when the disk goes on.
    for (let at = 0; at < 8; at++) {
      writes.push(deposit(leader, 1, 8000));
      await world.run(5);
    }
    await world.run(600);
    const before = leader.deferred;
    const reads = (["lease", "linearizable"] as const).map((type) =>
      leader.replica.read({ type }, { timeoutMs: 1000 })
    );
    await world.run(500);
    // A tick every 10 ms, and what the others say.
    assert(leader.deferred - before < 300, `${leader.deferred - before} turns in half a second`);
    leader.disk.resume("log");
    for (const read of reads) await world.settle(read);
    for (const write of writes) await world.settle(write);
    await world.run(300);
    nothingWaits(world);
  });

  test("all are killed at once and come back with everything", async () => {
    const world = await started({ fsyncMs: 2 });
    for (let at = 0; at < 50; at++) await world.settle(deposit(follower(world), 1));
    for (const node of world.nodes.values()) node.kill();
    await world.run(100);
    world.startAll();
    const leader = await world.elected();
    const permit = await world.settle(leader.replica.read({ type: "linearizable" }, { timeoutMs: 1000 }));
    assert(permit.ok);
    assertEquals(balance(leader), 50);
  });

  test("a cluster of one starts, writes, restarts alone", async () => {
    const world: Bank = new World({ ids: ["n1"], machine: bank });
    world.startAll();
    await world.elected();
    assertEquals((await world.settle(deposit(world.node("n1"), 4))).type, "done");
    world.node("n1").kill();
    world.node("n1").start();
    await world.elected();
    assertEquals((await world.settle(deposit(world.node("n1"), 4))).type, "done");
    assertEquals(balance(world.node("n1")), 8);
  });
});
