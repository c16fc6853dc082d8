// The first start of a cluster (design §5): whatever is partitioned, restarted or wiped meanwhile, one record and one
// cluster id come of it, or none and a sentence that says why.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bank, type BankAnswer, type BankQuery } from "../../examples/bank.ts";
import { clusterIdOf } from "../../lib/replica/cluster-id.ts";
import { Formation } from "../../lib/replica/formation.ts";
import { idOf, type ReplicaId } from "../../lib/raft/mod.ts";
import type { Formation as Statement } from "../../lib/replica/peer-messages.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { World } from "./world.ts";

type Disk = { incarnation: string; record: readonly ReplicaId[] | null; started: boolean };

/** One node of the pure machine: what is on its disk, and its process. */
type Machine = { readonly id: string; disk: Disk; formation: Formation | null; expected: readonly string[] };

/** Nodes, links and delayed statements, driven by chance. */
class Nursery {
  readonly machines: Machine[];
  readonly random: () => number;
  /** Directed: statements under way, in order. */
  #mail = new Map<string, Statement[]>();
  #links = new Set<string>();
  #incarnations = 0;

  constructor(ids: readonly string[], random: () => number) {
    this.random = random;
    this.machines = ids.map((id) => ({ id, disk: this.#newDisk(), formation: null, expected: ids }));
  }

  replica(machine: Machine): ReplicaId {
    return `${machine.id}~${machine.disk.incarnation}`;
  }

  start(machine: Machine): void {
    const { record, started } = machine.disk;
    const { expected } = machine;
    machine.formation = new Formation({
      self: this.replica(machine),
      expected,
      record,
      started,
      random: this.random,
    });
  }

  stop(machine: Machine): void {
    for (const other of this.machines) this.unlink(machine, other);
    machine.formation = null;
  }

  wipe(machine: Machine): void {
    this.stop(machine);
    machine.disk = this.#newDisk();
  }

  link(a: Machine, b: Machine): void {
    if (a === b || a.formation === null || b.formation === null || this.#links.has(key(a, b))) return;
    this.#links.add(key(a, b)).add(key(b, a));
    a.formation.peerUp(this.replica(b));
    b.formation.peerUp(this.replica(a));
    this.say(a);
    this.say(b);
  }

  unlink(a: Machine, b: Machine): void {
    for (const [one, other] of [[a, b], [b, a]] as const) {
      if (!this.#links.delete(key(one, other))) continue;
      this.#mail.delete(key(one, other));
      one.formation?.peerDown(this.replica(other));
    }
  }

  say(from: Machine): void {
    if (from.formation === null) return;
    for (const to of this.machines) {
      if (!this.#links.has(key(from, to))) continue;
      const mail = this.#mail.get(key(from, to)) ?? [];
      mail.push(from.formation.statement());
      this.#mail.set(key(from, to), mail);
    }
  }

  /** One statement arrives somewhere. False: none is under way. */
  deliver(): boolean {
    const under = [...this.#mail].filter(([, mail]) => mail.length > 0);
    const [route, mail] = under[Math.floor(this.random() * under.length)] ?? [];
    const statement = mail?.shift();
    if (route === undefined || statement === undefined) return false;
    const [from, to] = route.split(">").map((id) => this.machines.find((machine) => machine.id === id));
    if (from !== undefined) to?.formation?.heard(this.replica(from), statement);
    return true;
  }

  /** A durable step, if one is owed; its process may die right before or after. */
  save(machine: Machine): void {
    const save = machine.formation?.save() ?? null;
    if (save === null) return;
    machine.disk = { ...machine.disk, record: save.record, started: save.started };
    machine.formation?.saved();
    this.say(machine);
  }

  linkAll(): void {
    for (const a of this.machines) for (const b of this.machines) this.link(a, b);
  }

  settle(): void {
    for (let round = 0; round < 1000; round++) {
      let moved = false;
      while (this.deliver()) moved = true;
      for (const machine of this.machines) {
        const before = JSON.stringify(machine.formation?.statement());
        this.save(machine);
        if (machine.formation?.news() !== null) this.say(machine);
        moved ||= before !== JSON.stringify(machine.formation?.statement());
      }
      if (!moved) return;
    }
    throw new Error("statements never end");
  }

  #newDisk(): Disk {
    return { incarnation: `i${++this.#incarnations}`, record: null, started: false };
  }
}

function key(from: Machine, to: Machine): string {
  return `${from.id}>${to.id}`;
}

/** Of everybody who has started, by cluster. */
function clusters(nursery: Nursery): string[] {
  const started = nursery.machines.filter(({ disk }) => disk.started && disk.record !== null);
  return [...new Set(started.map(({ disk }) => clusterIdOf(disk.record ?? [])))];
}

describe("formation, the pure machine", () => {
  test("three nodes form one cluster, of those who were heard", () => {
    const nursery = new Nursery(["n1", "n2", "n3"], seededRandom(1));
    for (const machine of nursery.machines) nursery.start(machine);
    nursery.linkAll();
    nursery.settle();
    for (const { disk } of nursery.machines) {
      assertEquals(disk.started, true);
      assertEquals(disk.record, ["n1~i1", "n2~i2", "n3~i3"]);
    }
  });

  test("a cluster of one starts at once", () => {
    const nursery = new Nursery(["n1"], seededRandom(1));
    nursery.machines.forEach((machine) => nursery.start(machine));
    nursery.settle();
    assertEquals(nursery.machines[0]?.disk.started, true);
  });

  test("without the third nobody starts, and all say whom they wait for", () => {
    const nursery = new Nursery(["n1", "n2", "n3"], seededRandom(1));
    const [n1, n2, n3] = nursery.machines;
    if (!n1 || !n2 || !n3) throw new Error("three");
    nursery.start(n1);
    nursery.start(n2);
    nursery.linkAll();
    nursery.settle();
    assertEquals(n1.formation?.waitingFor(), "not heard from yet: n3");
    nursery.start(n3);
    nursery.linkAll();
    nursery.settle();
    assertEquals(clusters(nursery).length, 1);
  });

  test("nobody starts before all others have said that they saw its own record, as of this start of it", () => {
    const random = seededRandom(printedSeed("formation"));
    const made = (self: ReplicaId, record: readonly ReplicaId[] | null = null) =>
      new Formation({ self, expected: ["n1", "n2"], record, started: false, random });
    let one = made("n1~a");
    const other = made("n2~b");
    const tell = (from: Formation, to: Formation) =>
      to.heard(from === one ? "n1~a" : "n2~b", from.statement());
    const writes = (node: Formation) => {
      const save = node.save();
      node.saved();
      return save?.started;
    };
    one.peerUp("n2~b");
    other.peerUp("n1~a");
    tell(one, other);
    tell(other, one);
    assertEquals([writes(one), writes(other)], [false, false]);
    tell(other, one);
    assertEquals(one.save(), null);
    tell(one, other);
    // It starts again: what was said to the process before says nothing of this one.
    one = made("n1~a", ["n1~a", "n2~b"]);
    one.peerUp("n2~b");
    tell(other, one);
    assertEquals(one.save(), null);
    tell(one, other);
    tell(other, one);
    assertEquals(writes(one), true);
  });

  test("wiped after the record was made and before it was confirmed: the record is written anew", () => {
    const nursery = new Nursery(["n1", "n2", "n3"], seededRandom(1));
    const [n1, n2, n3] = nursery.machines;
    if (!n1 || !n2 || !n3) throw new Error("three");
    for (const machine of nursery.machines) nursery.start(machine);
    nursery.linkAll();
    while (nursery.deliver());
    nursery.save(n1);
    assertEquals(n1.disk.record, ["n1~i1", "n2~i2", "n3~i3"]);
    nursery.wipe(n3);
    nursery.start(n3);
    nursery.linkAll();
    nursery.settle();
    for (const { disk } of nursery.machines) assertEquals(disk.record, ["n1~i1", "n2~i2", "n3~i4"]);
    assertEquals(clusters(nursery).length, 1);
  });

  test("wiped after the cluster was formed: another replica, which waits to be admitted", () => {
    const nursery = new Nursery(["n1", "n2", "n3"], seededRandom(1));
    const n3 = nursery.machines[2];
    if (!n3) throw new Error("three");
    for (const machine of nursery.machines) nursery.start(machine);
    nursery.linkAll();
    nursery.settle();
    nursery.wipe(n3);
    nursery.start(n3);
    nursery.linkAll();
    nursery.settle();
    assertEquals(n3.disk.started, false);
    assert(n3.formation?.waitingFor()?.includes("has to be admitted"));
  });

  test("different lists are found out and named on both sides", () => {
    const nursery = new Nursery(["n1", "n2", "n3"], seededRandom(1));
    const n1 = nursery.machines[0];
    if (!n1) throw new Error("three");
    n1.expected = ["n1", "n2", "n4"];
    for (const machine of nursery.machines) nursery.start(machine);
    nursery.linkAll();
    nursery.settle();
    for (const machine of nursery.machines) {
      assertEquals(machine.disk.record, null);
      const waitingFor = machine.formation?.waitingFor() ?? "";
      assert(waitingFor.includes("n1, n2, n4") || waitingFor.includes("n1, n2, n3"), waitingFor);
    }
    // Corrected and restarted, it goes on.
    nursery.stop(n1);
    n1.expected = ["n1", "n2", "n3"];
    nursery.start(n1);
    nursery.linkAll();
    nursery.settle();
    assertEquals(clusters(nursery).length, 1);
  });

  test("whatever is cut, restarted and wiped: never two clusters that share a node, and one when it calms down", () => {
    const seed = printedSeed("formation");
    for (let run = 0; run < 300; run++) {
      const random = seededRandom(seed + run);
      const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
      const nursery = new Nursery(["n1", "n2", "n3"], random);
      let wipedStarted = false;
      for (let step = 0; step < 150; step++) {
        const machine = pick(nursery.machines);
        const chance = random();
        if (chance < 0.4) nursery.deliver();
        else if (chance < 0.6) nursery.save(machine);
        else if (chance < 0.8) nursery.link(machine, pick(nursery.machines));
        else if (chance < 0.86) nursery.unlink(machine, pick(nursery.machines));
        else if (chance < 0.9) nursery.say(machine);
        else if (chance < 0.97) nursery.start((nursery.stop(machine), machine));
        else if (!machine.disk.started) nursery.start((nursery.wipe(machine), machine));
        else if (random() < 0.1) {
          wipedStarted = true;
          nursery.start((nursery.wipe(machine), machine));
        }
        // One node's word cannot be in two: whoever starts is in everybody's record that has started.
        if (!wipedStarted) assert(clusters(nursery).length <= 1, `seed ${seed + run}`);
      }
      if (wipedStarted) continue;
      for (const machine of nursery.machines) if (machine.formation === null) nursery.start(machine);
      nursery.linkAll();
      for (const machine of nursery.machines) nursery.say(machine);
      nursery.settle();
      assertEquals(clusters(nursery).length, 1, `seed ${seed + run}`);
      const record = nursery.machines.find(({ disk }) => disk.started)?.disk.record ?? [];
      for (const machine of nursery.machines) {
        // Who was wiped after others had started stays out; everybody else is in.
        assertEquals(machine.disk.started, record.includes(nursery.replica(machine)), `seed ${seed + run}`);
      }
      assert(record.map(idOf).join() === "n1,n2,n3");
    }
  });
});

describe("formation, in replicas", () => {
  const ids = ["n1", "n2", "n3"];
  const world = (expected?: (id: string) => readonly string[]) =>
    new World<BankQuery, BankAnswer>({ ids, machine: bank, ...(expected === undefined ? {} : { expected }) });

  test("all start partitioned: nobody leads; healed: one cluster id (bug 37)", async () => {
    const bankOf3 = world();
    for (const id of ids) bankOf3.isolate(id);
    bankOf3.startAll();
    await bankOf3.run(3000);
    for (const node of bankOf3.nodes.values()) {
      const { phase, waitingFor, clusterId, ready } = node.replica.status();
      assertEquals([phase, clusterId, ready], ["forming", null, false]);
      assert(waitingFor?.startsWith("not heard from yet"));
      const outcome = await bankOf3.settle(node.replica.propose(new Uint8Array(1), { timeoutMs: 100 }));
      assertEquals(outcome, { type: "refused", reason: "not_ready" });
      const permit = await bankOf3.settle(node.replica.read({ type: "linearizable" }, { timeoutMs: 100 }));
      assertEquals(permit, { ok: false, reason: "not_ready" });
    }
    bankOf3.network.healAll();
    await bankOf3.elected();
    const known = new Set([...bankOf3.nodes.values()].map((node) => node.replica.status().clusterId));
    assertEquals(known.size, 1);
  });

  test("started one after the other, restarted in between: the boot count grows, the incarnation stays", async () => {
    const bankOf3 = world();
    const n1 = bankOf3.node("n1");
    n1.start();
    await bankOf3.run(500);
    const before = n1.replica.status();
    bankOf3.node("n2").start();
    await bankOf3.run(500);
    n1.kill();
    await bankOf3.run(500);
    n1.start();
    await bankOf3.run(500);
    assertEquals(n1.replica.status().bootCount, before.bootCount + 1);
    assertEquals(n1.replica.status().replica, before.replica);
    bankOf3.node("n3").start();
    await bankOf3.elected();
    for (const node of bankOf3.nodes.values()) assertEquals(node.replica.status().phase, "running");
  });

  test("wiped before the others had started: it is in; wiped after: it cannot vote, and is let in only by a majority", async () => {
    const bankOf3 = world();
    bankOf3.node("n1").start();
    bankOf3.node("n2").start();
    await bankOf3.run(300);
    bankOf3.node("n2").kill();
    bankOf3.node("n2").wipe();
    bankOf3.node("n2").start();
    bankOf3.node("n3").start();
    await bankOf3.elected();
    const wiped = bankOf3.node("n3");
    wiped.kill();
    wiped.wipe();
    // It must not vote as the old one did (cockroach#756): with one of the other two gone nobody can be elected.
    const leader = await bankOf3.elected();
    (leader === wiped ? bankOf3.node("n1") : leader).kill();
    wiped.start();
    await bankOf3.run(3000);
    const { phase, role } = wiped.replica.status();
    assertEquals([phase, role], ["joining", "follower"]);
    assertEquals(bankOf3.leader(), undefined);
  });

  test("a log set aside: admitted where somebody remembers the cluster, no new cluster where nobody does", async () => {
    const bankOf3 = world();
    bankOf3.startAll();
    const { clusterId } = (await bankOf3.elected()).replica.status();
    const loses = (id: string) => {
      const node = bankOf3.node(id);
      node.kill();
      node.wipe();
      node.setAside = { clusterId, kept: ["log.sqlite.corrupt-1"] };
    };
    loses("n3");
    bankOf3.node("n3").start();
    await bankOf3.until("n3 is in again", () => bankOf3.node("n3").replica.status().ready, 8000);
    assertEquals(bankOf3.node("n3").replica.status().clusterId, clusterId);
    for (const id of ids) loses(id);
    for (let start = 0; start < 2; start++) {
      bankOf3.startAll();
      await bankOf3.run(5000);
      for (const node of bankOf3.nodes.values()) {
        const { phase, waitingFor } = node.replica.status();
        assertEquals(phase, "joining");
        assert(waitingFor?.includes(`a member that still remembers cluster ${clusterId}`));
        // It is written down: the next start is told of nothing.
        node.setAside = null;
        node.kill();
      }
    }
  });

  test("different lists on different nodes are named in the log", async () => {
    const bankOf3 = world((id) => id === "n3" ? ["n3", "n1"] : ids);
    bankOf3.startAll();
    await bankOf3.run(2000);
    for (const node of bankOf3.nodes.values()) {
      assertEquals(node.replica.status().phase, "forming");
      assert(
        node.log.some((line) => line.includes("was told to form") || line.includes("wants to take part")),
      );
    }
  });
});
