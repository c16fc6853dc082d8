// Members come and go under virtual time: joining, being promoted, removal, lost disks, and what becomes of each when
// leaders die in between.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bank, type BankAnswer, type BankQuery, encodeTransaction } from "../../examples/bank.ts";
import {
  type AdminOutcome,
  type AdminRequest,
  decodeMembership,
  encodeMembership,
} from "../../lib/replica/membership-messages.ts";
import { idOf } from "../../lib/raft/mod.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { type TestNode, World, type WorldOptions } from "./world.ts";

type Node = TestNode<BankQuery, BankAnswer>;
type Bank = World<BankQuery, BankAnswer>;

const founders = ["n1", "n2", "n3"];
const forgets = seededRandom(printedSeed("forgetful"));

/** n1, n2, n3 form a cluster unless told otherwise; everybody else joins. */
function bankOf(ids: readonly string[], options: Partial<WorldOptions<BankQuery, BankAnswer>> = {}): Bank {
  const first = ids.filter((id) => founders.includes(id));
  return new World({
    ids,
    machine: bank,
    expected: (id) => first.includes(id) ? first : [],
    membership: (id) => ({
      join: !first.includes(id),
      role: id.startsWith("reader") ? "learner" : "voter",
      about: () => ({ url: `memory:${id}`, region: "", software: "test" }),
    }),
    ...options,
  });
}

async function formed(ids: readonly string[], options: Partial<WorldOptions<BankQuery, BankAnswer>> = {}) {
  const world = bankOf(ids, options);
  for (const id of ids) if (founders.includes(id)) world.node(id).start();
  await world.elected();
  return world;
}

function voters(node: Node): string[] {
  return (node.replica.status().configuration?.configuration.voters ?? []).map(idOf).sort();
}

function learners(node: Node): string[] {
  return (node.replica.status().configuration?.configuration.learners ?? []).map(idOf).sort();
}

async function votersAre(world: Bank, expected: readonly string[], ms = 8000): Promise<void> {
  await world.until(`the voters are ${expected.join()}`, () => {
    const leader = world.leader();
    if (leader === undefined) return false;
    const { configuration } = leader.replica.status();
    return voters(leader).join() === [...expected].sort().join() &&
      configuration?.configuration.outgoing.length === 0 &&
      new Set(configuration?.configuration.voters).size === expected.length;
  }, ms);
}

async function ask(world: Bank, node: Node, request: AdminRequest, timeoutMs = 5000): Promise<AdminOutcome> {
  return await world.settle(node.replica.administer(request, { timeoutMs }));
}

async function deposit(world: Bank, node: Node): Promise<string> {
  const command = encodeTransaction({ type: "deposit", to: "ann", cents: 1 });
  const outcome = await world.settle(node.replica.propose(command, { timeoutMs: 3000 }));
  return outcome.type === "refused" ? outcome.reason : outcome.type;
}

function leaderAmong(world: Bank, ids: readonly string[]): Node {
  const leader = ids.map((id) => world.node(id)).find((node) => node.replica.status().role === "leader");
  if (leader === undefined) throw new Error("nobody of them leads");
  return leader;
}

function nothingBroke(world: Bank): void {
  for (const node of world.nodes.values()) assertEquals(node.fatal, null, node.id);
}

describe("joining", () => {
  test("one, three, five, three: each enters as a learner, is promoted, and may leave again", async () => {
    const world = bankOf(["n1", "n4", "n5", "n6", "n7"]);
    world.node("n1").start();
    await world.elected();
    for (let at = 0; at < 50; at++) assertEquals(await deposit(world, world.node("n1")), "done");
    for (const id of ["n4", "n5", "n6", "n7"]) world.node(id).start();
    await votersAre(world, ["n1", "n4", "n5", "n6", "n7"]);
    await world.until(
      "all run",
      () => [...world.nodes.values()].every((node) => node.replica.status().ready),
    );
    for (const node of world.nodes.values()) {
      assertEquals(node.replica.status().phase, "running", node.id);
      assertEquals(await deposit(world, node), "done");
    }
    for (const id of ["n1", "n7"]) {
      const outcome = await ask(world, world.node("n5"), { type: "remove", id, force: false });
      assert(outcome.ok, JSON.stringify(outcome));
    }
    await votersAre(world, ["n4", "n5", "n6"]);
    await world.until(
      "the removed know it",
      () => ["n1", "n7"].every((id) => world.node(id).replica.status().phase === "removed"),
    );
    assertEquals(await deposit(world, world.node("n6")), "done");
    assertEquals(await deposit(world, world.node("n1")), "removed");
    nothingBroke(world);
  });

  test("a learner serves reads and never votes", async () => {
    const world = await formed(["n1", "n2", "n3", "reader"]);
    await deposit(world, world.node("n1"));
    const reader = world.node("reader");
    reader.start();
    await world.until("it reads", () => reader.running && reader.replica.status().ready, 5000);
    await world.until("it takes part", () => reader.replica.status().phase === "running");
    const permit = await world.settle(reader.replica.read({ type: "linearizable" }, { timeoutMs: 1000 }));
    assert(permit.ok);
    assertEquals(reader.replica.query({ type: "balance", account: "ann" }), 1);
    await world.run(2000);
    assertEquals([voters(reader), learners(reader)], [founders, ["reader"]]);
    const promoted = await ask(world, reader, {
      ...{ type: "add", id: "reader", url: null, incarnation: null, role: "voter", force: false },
    });
    assert(promoted.ok);
    await votersAre(world, [...founders, "reader"]);
  });

  test("while it is brought up it answers no reads and takes no writes", async () => {
    const world = await formed(["n1", "n2", "n3", "n4"]);
    const joiner = world.node("n4");
    joiner.drop = (message) => message.type === "AppendEntriesReply";
    joiner.start();
    await world.run(2000);
    assertEquals(joiner.replica.status().phase, "joining");
    for (const type of ["linearizable", "lease"] as const) {
      const permit = await world.settle(joiner.replica.read({ type }, { timeoutMs: 200 }));
      assertEquals(permit, { ok: false, reason: "not_ready" });
    }
    const stale = await world.settle(
      joiner.replica.read({ type: "stale", maxStalenessMs: null }, { timeoutMs: 200 }),
    );
    assertEquals(stale, { ok: false, reason: "not_ready" });
    assertEquals(voters(await world.elected()), founders);
    joiner.drop = () => false;
    await votersAre(world, [...founders, "n4"]);
  });

  test("a member that was never told so is told by any other, when the leader is lost that let it in", async () => {
    for (const [asks, knows] of [[true, true], [false, true], [true, false]] as const) {
      const world = bankOf(["n1", "n4", "n5"], {
        membership: (id) => ({
          join: id === "n4" || id === "n5" && asks,
          role: "voter",
          about: () => ({ url: `memory:${id}`, region: "", software: "test" }),
        }),
      });
      world.node("n1").start();
      await world.elected();
      world.node("n4").start();
      await votersAre(world, ["n1", "n4"]);
      await world.until("n4 takes part", () => world.node("n4").replica.status().phase === "running");
      const [lost, other, late] = [world.node("n1"), world.node("n4"), world.node("n5")];
      const tellsNothing = (message: PeerMessage) =>
        message.type === "Membership" && decodeMembership(message.payload)?.type === "JoinReply";
      lost.drop = other.drop = tellsNothing;
      late.start();
      await world.until(
        "n5 is linked",
        () => lost.replica.status().connected.some(({ replica }) => idOf(replica) === "n5"),
      );
      if (!asks) {
        const request = {
          type: "add",
          id: "n5",
          url: null,
          incarnation: null,
          role: "learner",
          force: false,
        } as const;
        void lost.replica.administer(request, { timeoutMs: 100 });
      }
      await world.until("n5 is let in", () => learners(lost).includes("n5"));
      const changed = ask(world, other, {
        ...{ type: "configure", voters: ["n1", "n4", "n5"], learners: [], ifIndex: null, force: false },
      });
      await world.until("n4 goes by it", () => {
        const { configuration } = other.replica.status();
        return voters(other).includes("n5") && configuration?.configuration.outgoing.length === 0;
      });
      if (knows) {
        assert((await changed).ok);
        await world.run(100);
      }
      lost.kill();
      other.drop = () => false;
      await world.until(
        "both go on",
        () => late.replica.status().phase === "running" && late.replica.status().ready,
      );
      assertEquals(await deposit(world, late), "done");
      nothingBroke(world);
    }
  });

  test("an id that a living member has is refused with a sentence", async () => {
    const world = await formed(["n1", "n2", "n3", "n4"]);
    world.node("n4").start();
    await votersAre(world, [...founders, "n4"]);
    // A second one of that name would have to be another node of the network; the plan says it before that.
    const outcome = await ask(world, world.node("n1"), {
      ...{ type: "add", id: "n4", url: null, incarnation: "another", role: "voter", force: false },
    }, 500);
    assert(!outcome.ok && outcome.reason === "unavailable");
  });

  test("the leader is killed again and again while two join", async () => {
    const world = await formed(["n1", "n2", "n3", "n4", "n5"]);
    world.node("n4").start();
    world.node("n5").start();
    for (let round = 0; round < 6; round++) {
      await world.run(40 + world.random() * 400);
      const leader = world.leader();
      if (leader === undefined) continue;
      leader.kill();
      await world.run(world.random() * 300);
      leader.start();
    }
    await votersAre(world, [...founders, "n4", "n5"], 20_000);
    nothingBroke(world);
  });
});

describe("lost disks", () => {
  test("a wiped disk comes back as another replica in one joint change, while the cluster keeps a quorum", async () => {
    const world = await formed(founders);
    for (const id of founders) {
      const node = world.node(id);
      const before = node.replica.status().replica;
      node.kill();
      node.wipe();
      await world.elected();
      node.start();
      await world.until(
        "it is back",
        () => node.running && node.replica.status().phase === "running",
        10_000,
      );
      await votersAre(world, founders);
      assert(node.replica.status().replica !== before);
      const { configuration } = (await world.elected()).replica.status();
      assert(configuration?.configuration.voters.includes(node.replica.status().replica));
      assert(!configuration?.configuration.voters.includes(before));
      assertEquals(await deposit(world, node), "done");
    }
    nothingBroke(world);
  });
});

describe("states that differ", () => {
  test("a replica whose state differs from that of the others stops, loudly; they go on", async () => {
    let made = 0;
    const world = await formed(founders, {
      // The third one to be made forgets one row in a hundred.
      machine: (store) => {
        const forgetful = ++made === 3;
        return bank({
          ...{
            get: (key) => store.get(key),
            delete: (key) => store.delete(key),
            scan: (range) => store.scan(range),
          },
          put: (key, value) => {
            if (!forgetful || forgets() > 0.01) store.put(key, value);
          },
        });
      },
    });
    const n1 = world.node("n1");
    for (let round = 0; round < 11; round++) {
      const writes = Array.from(
        { length: 100 },
        (_, at) =>
          n1.replica.propose(encodeTransaction({ type: "deposit", to: `a${round}.${at}`, cents: 1 }), {
            timeoutMs: 3000,
          }),
      );
      await world.settle(Promise.all(writes));
    }
    const third = world.node("n3");
    await world.until("n3 stops", () => third.fatal !== null, 10_000);
    assert(third.fatal?.includes("differs from that of a majority"), String(third.fatal));
    assertEquals(third.replica.status().phase, "failed");
    assert(third.log.some((line) => line.startsWith("error the applied state differs")));
    third.kill();
    await world.elected();
    assertEquals([n1.fatal, world.node("n2").fatal], [null, null]);
    assertEquals(await deposit(world, n1), "done");
  });
});

describe("changes", () => {
  test("several at once, in one joint step; the leader outside of it hands over", async () => {
    const world = await formed(["n1", "n2", "n3", "n4", "n5", "n6"]);
    for (const id of ["n4", "n5", "n6"]) world.node(id).start();
    await votersAre(world, ["n1", "n2", "n3", "n4", "n5", "n6"]);
    const terms = () => [...world.nodes.values()].map((node) => node.replica.status().term);
    const outcome = await ask(world, world.node("n2"), {
      ...{ type: "configure", voters: ["n4", "n5", "n6"], learners: ["n1"], ifIndex: null, force: false },
    });
    assert(outcome.ok, JSON.stringify(outcome));
    await votersAre(world, ["n4", "n5", "n6"]);
    await world.until(
      "n2, n3 know",
      () => ["n2", "n3"].every((id) => world.node(id).replica.status().phase === "removed"),
    );
    // Bug 28: the removed are quiet; the term stays.
    await world.run(500);
    const term = Math.max(...terms());
    await world.run(3000);
    assertEquals(Math.max(...terms()), term);
    assertEquals(await deposit(world, world.node("n1")), "done");
    assertEquals(world.node("n1").replica.status().phase, "running");
    nothingBroke(world);
  });

  test("what would leave no live quorum is refused unless forced; so are nobody, strangers, and doubles", async () => {
    const world = await formed(["n1", "n2", "n3", "n4"]);
    world.node("n4").start();
    await votersAre(world, [...founders, "n4"]);
    world.node("n4").kill();
    await world.run(2000);
    const leader = await world.elected();
    const configure = (names: string[], force = false): AdminRequest => ({
      ...{ type: "configure", voters: names, learners: [], ifIndex: null, force },
    });
    const reasons = [];
    for (const names of [[], ["n1", "stranger"], ["n1", "n1"], [leader.id, "n4"]]) {
      const outcome = await ask(world, leader, configure(names));
      reasons.push(outcome.ok ? "ok" : outcome.reason);
    }
    assertEquals(reasons, ["invalid", "invalid", "invalid", "conflict"]);
    const forced = await ask(world, leader, configure(founders, true));
    assert(forced.ok);
    await votersAre(world, founders);
  });

  test("a node that was away learns of its removal, is quiet, and stays so after a restart", async () => {
    const world = await formed(["n1", "n2", "n3", "n4"]);
    world.node("n4").start();
    await votersAre(world, [...founders, "n4"]);
    await world.until("it runs", () => world.node("n4").replica.status().phase === "running");
    world.isolate("n4");
    await world.run(1000);
    const outcome = await ask(world, leaderAmong(world, founders), {
      type: "remove",
      id: "n4",
      force: false,
    });
    assert(outcome.ok);
    await votersAre(world, founders);
    const { term } = leaderAmong(world, founders).replica.status();
    world.network.healAll();
    await world.until("n4 knows", () => world.node("n4").replica.status().phase === "removed");
    assert(world.node("n4").log.some((line) => line.includes("was removed")));
    world.node("n4").kill();
    world.node("n4").start();
    await world.run(3000);
    assertEquals(world.node("n4").replica.status().phase, "removed");
    assertEquals(leaderAmong(world, founders).replica.status().term, term);
    nothingBroke(world);
  });

  test("a leader that is removed while it stops, and waits for a successor, is quiet", async () => {
    const world = await formed(["n1", "n2", "n3"]);
    const old = await world.elected();
    world.isolate(old.id, { silent: true });
    const stopped = old.replica.stop(20_000);
    const others = founders.filter((id) => id !== old.id);
    await world.until("another leads", () => {
      return others.some((id) => world.node(id).replica.status().role === "leader");
    });
    const request = { type: "remove", id: old.id, force: false } as const;
    assert((await ask(world, leaderAmong(world, others), request)).ok);
    await votersAre(world, others);
    world.network.healAll();
    await world.until("it knows", () => old.log.some((line) => line.includes("was removed")));
    const from = old.sent.length;
    await world.run(5000);
    assertEquals(old.sent.slice(from).filter(({ type }) => type === "RequestVote"), []);
    await world.settle(stopped, 20_000);
    nothingBroke(world);
  });

  test("two changes at once: one waits for the other", async () => {
    const world = await formed(["n1", "n2", "n3", "n4", "n5"]);
    world.node("n4").start();
    world.node("n5").start();
    await votersAre(world, [...founders, "n4", "n5"]);
    const both = await world.settle(Promise.all(
      ["n4", "n5"].map((id) =>
        world.node("n2").replica.administer({ type: "remove", id, force: false }, { timeoutMs: 5000 })
      ),
    ));
    assert(both.every((outcome) => outcome.ok), JSON.stringify(both));
    await votersAre(world, founders);
  });

  test("who was removed does not come back by being added: it would be a member that takes no part", async () => {
    const world = await formed([...founders, "n4"]);
    world.node("n4").start();
    await votersAre(world, [...founders, "n4"]);
    const leader = leaderAmong(world, founders);
    const removed = await ask(world, leader, { type: "remove", id: "n4", force: false });
    assert(removed.ok, JSON.stringify(removed));
    await world.until("n4 knows", () => world.node("n4").replica.status().phase === "removed");
    await votersAre(world, founders);
    const added = await ask(world, leaderAmong(world, founders), {
      ...{ type: "add", id: "n4", url: null, incarnation: null, role: "voter", force: false },
    });
    assert(
      !added.ok && added.reason === "conflict" && added.detail.includes("--rejoin"),
      JSON.stringify(added),
    );
    assertEquals(learners(leaderAmong(world, founders)), []);
    nothingBroke(world);
  });

  test("nor by a request that was on its way when another came to lead", async () => {
    const world = await formed([...founders, "n4"]);
    world.node("n4").start();
    await votersAre(world, [...founders, "n4"]);
    const old = leaderAmong(world, founders);
    world.isolate("n4", { silent: true });
    assert((await ask(world, old, { type: "remove", id: "n4", force: false })).ok);
    await votersAre(world, founders);
    // Who led then is gone, and with it what only it remembers.
    old.kill();
    const next = () => leaderAmong(world, founders.filter((id) => id !== old.id));
    await world.until("another leads", () => {
      try {
        return next().replica.status().phase === "running";
      } catch {
        return false;
      }
    });
    world.network.healAll();
    const payload = encodeMembership({ type: "Join", role: "voter" });
    world.node("n4").say(next().id, { type: "Membership", payload });
    await world.run(2000);
    assertEquals([voters(next()), learners(next())], [founders, []]);
    nothingBroke(world);
  });

  test("without a leader a change is refused as not done, in time", async () => {
    const world = await formed(founders);
    world.node("n2").kill();
    world.node("n3").kill();
    await world.run(2000);
    const outcome = await ask(world, world.node("n1"), { type: "remove", id: "n3", force: false }, 1000);
    assert(!outcome.ok && (outcome.reason === "unavailable" || outcome.reason === "conflict"));
  });
});
