// The small parts of the loop on their own: deadlines, boots, the lease's doubt, the space reserve, identities.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import type { AppendEntries, RaftStatus } from "../../lib/raft/mod.ts";
import { Boots } from "../../lib/replica/boots.ts";
import { Deadlines, Timed } from "../../lib/replica/deadlines.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { type Claim, claimIdentity } from "../../lib/replica/identity.ts";
import { Lease } from "../../lib/replica/lease.ts";
import { Space } from "../../lib/replica/space.ts";
import { printedSeed, seededRandom } from "../support/random.ts";

class Item extends Timed {
  ended = 0;
  override expired(): void {
    this.ended++;
  }
}

test("deadlines: each ends once, never early, at most a slice late, and not at all once removed", () => {
  const random = seededRandom(printedSeed("deadlines"));
  const deadlines = new Deadlines(1000);
  const items: { item: Item; removed: boolean }[] = [];
  let now = 1000;
  for (let step = 0; step < 2000; step++) {
    now += random() < 0.01 ? random() * 100_000 : random() * 20;
    deadlines.sweep(now);
    for (const { item, removed } of items) {
      if (item.ended > 0) assert(!removed && item.ended === 1 && item.deadline <= now);
      else assert(removed || item.deadline > now - 5.001);
    }
    const item = new Item(now + random() * 500);
    deadlines.add(item);
    items.push({ item, removed: false });
    const some = items[Math.floor(random() * items.length)];
    if (random() < 0.4 && some !== undefined && some.item.ended === 0) {
      deadlines.remove(some.item);
      some.removed = true;
    }
    if (items.length > 200) items.shift();
  }
});

test("boots: who does not go on from the start that was seen has a copied or rolled-back folder", () => {
  const boots = new Boots({ "n2~a": { bootCount: 3, nonce: "x" } });
  const admit = (bootCount: number, nonce: string, earlier: readonly string[], replica = "n2~a") =>
    boots.admit({ replica, bootCount, nonce, earlier });
  assertEquals(admit(3, "x", ["v", "w"]), null);
  assert(admit(2, "y", ["v"])?.includes("old copy"));
  assert(admit(3, "y", ["v", "w"])?.includes("copied"));
  // Rolled back to start 2 and started until its number is a new one.
  for (const bootCount of [4, 5, 6]) {
    const earlier = ["v", "w", "y3", "y4", "y5"].slice(0, bootCount - 1);
    assert(admit(bootCount, "y", earlier)?.includes("does not go on from its start 3"));
  }
  assertEquals(boots.changed, false);
  assertEquals(admit(4, "y", ["v", "w", "x"]), null);
  assertEquals(admit(7, "z", ["x", "y", "y5", "y6"]), null);
  // Its list does not reach back to 7 any more.
  assertEquals(admit(10, "q", ["p9"]), null);
  assertEquals(admit(1, "z", [], "n2~b"), null);
  assertEquals(boots.known(), {
    "n2~a": { bootCount: 10, nonce: "q" },
    "n2~b": { bootCount: 1, nonce: "z" },
  });
});

test("lease: a clock that stands still or jumps voids every round sent before it was noticed", () => {
  const clock = { now: 1000, day: 50_000, monotonic: () => clock.now, wall: () => clock.day };
  const pass = (ms: number) => {
    clock.now += ms;
    clock.day += ms;
  };
  const lease = new Lease(clock, 500);
  pass(100);
  assert(lease.holds(1400));
  assert(!lease.holds(1100));
  clock.day += 5000;
  assert(!lease.holds(1500));
  assert(!lease.countedSince(1050));
  pass(200);
  // A round sent well after the doubt.
  assert(lease.holds(1250 + 450));
  assert(lease.countedSince(1250));
  clock.day -= 100;
  assert(!lease.holds(1250 + 450));
});

test("space: probed once a second, said once", () => {
  const lines: string[] = [];
  let [free, probes] = [1000, 0];
  const space = new Space(() => (probes++, free), 500, (_level, message) => lines.push(message));
  for (let now = 0; now < 900; now += 10) space.tick(now);
  assertEquals([probes, space.full], [1, false]);
  free = 100;
  for (let now = 1000; now < 3500; now += 10) space.tick(now);
  assertEquals([probes, space.full, lines.length], [4, true, 1]);
  free = 1000;
  space.tick(5000);
  assertEquals([space.full, lines.length], [false, 2]);
});

test("space: between two probes what was taken counts, and what is not written yet also after one", () => {
  let [free, probes] = [100_000, 0];
  const space = new Space(() => (probes++, free), 50_000, () => {});
  const command = new Uint8Array(1000);
  const takenOf = (tries: number) =>
    Array.from({ length: tries }, () => space.takes(command)).filter(Boolean).length;
  space.tick(0);
  // 6,096 bytes each, of the 50,000 above the reserve.
  assertEquals([takenOf(20), probes], [8, 1]);
  // It took less than that on the disk: there is a look before anything else is refused.
  space.written();
  free = 90_000;
  assertEquals([takenOf(20), probes], [6, 2]);
  space.tick(1000);
  assertEquals([takenOf(20), probes], [0, 3]);
  space.written();
  free = 60_000;
  assertEquals([takenOf(20), probes], [1, 4]);
});

test("space: a leader's message is taken as far as there is room for it", () => {
  let free = 1_000_000;
  const lines: string[] = [];
  const space = new Space(() => free, 100_000, (level, message) => lines.push(`${level} ${message}`));
  const core = {
    commitIndex: 3,
    status: () => ({ last: { index: 5, term: 1 } }) as RaftStatus,
    termAt: () => 1,
  };
  const message = (prevLogIndex: number, types: string, leaderCommit = 3): AppendEntries => ({
    ...{
      type: "AppendEntries",
      from: "n1~a",
      to: "n2~b",
      term: 1,
      prevLogIndex,
      prevLogTerm: 1,
      leaderCommit,
    },
    ...{ round: 7, echo: 6, confirmedAgeMs: 5, withholdMs: 0 },
    entries: [...types].map((type, at) => ({
      ...{ index: prevLogIndex + 1 + at, term: 1, time: 0, data: new Uint8Array(100) },
      type: type === "c" ? "command" : "noop",
    })),
  });
  const nothing = (given: AppendEntries) => ({ ...given, prevLogIndex: 0, prevLogTerm: 0, entries: [] });
  const gives = (given: AppendEntries, expected: AppendEntries) =>
    assertEquals(space.affordable(given, core), expected);
  space.tick(0);
  gives(message(5, "ccc"), message(5, "ccc"));
  free = 40_000;
  space.written();
  space.tick(1000);
  // A heartbeat, as long as nothing had to be refused; then all that names no entry is one that says nothing of any.
  gives(message(5, ""), message(5, ""));
  gives(message(5, "ccc"), nothing(message(5, "ccc")));
  gives(message(5, ""), nothing(message(5, "")));
  gives(message(5, "nnc"), message(5, "nn"));
  // Entries 4 and 5 are here already, and are news: they may be committed.
  gives(message(3, "ccc"), message(3, "cc"));
  gives(message(5, "", 5), message(5, "", 5));
  free = 80_000;
  space.written();
  space.tick(2000);
  gives(message(5, "ccc"), message(5, "ccc"));
  assertEquals(lines.length, 3);
  assertMatch(lines.join(), /warning.*nearly full.*error.*not followed.*info.*the log is followed/);
});

describe("identity", () => {
  const claim = (disk: MemoryDisk, id: string | null, seed: number): Claim => {
    const opened = openDurableLog({ table: disk.openLog(), witness: disk.openWitness() });
    if (!opened.ok) throw new Error(opened.corruption.reason);
    const claims: Claim[] = [];
    claimIdentity({ durableLog: opened.log, id, random: seededRandom(seed) }, (made) => claims.push(made));
    opened.log.close();
    const [made] = claims;
    if (made === undefined) throw new Error("not claimed");
    return made;
  };

  test("drawn once, counted at each start, kept when nothing was asked for", () => {
    const disk = new MemoryDisk();
    const first = claim(disk, "n1", 1);
    const second = claim(disk, "n1", 2);
    const third = claim(disk, null, 3);
    assert(first.ok && second.ok && third.ok);
    assertEquals([first.identity.bootCount, second.identity.bootCount, third.identity.bootCount], [1, 2, 3]);
    assertEquals(third.identity.replica, first.identity.replica);
    assert(/^n1~[A-Za-z0-9]{16}$/.test(first.identity.replica));
    assert(first.identity.nonce !== second.identity.nonce);
  });

  test("a folder of another id is refused with a sentence; an id is made where none is given", () => {
    const disk = new MemoryDisk();
    const made = claim(disk, null, 1);
    assert(made.ok && /^n-[a-z0-9]{8}$/.test(made.identity.id));
    const refused = claim(disk, "n1", 2);
    assert(!refused.ok && refused.reason === "other_id");
    assert(refused.message.includes(made.identity.id) && refused.message.includes(`"n1"`));
  });

  test("a disk that fails while it is claimed is no identity", () => {
    const disk = new MemoryDisk();
    disk.failCommit("log", 1, new Error("EIO"));
    const failed = claim(disk, "n1", 1);
    assert(!failed.ok && failed.reason === "io");
  });

  test("a peer that calls itself like this node is not linked", () => {
    const claimed = claim(new MemoryDisk(), "n1", 1);
    assert(claimed.ok);
    assertEquals(
      claimed.identity.admit({ replica: "n1~other", bootCount: 1, nonce: "x", earlier: [] }).ok,
      false,
    );
    assertEquals(claimed.identity.admit({ replica: "n2~b", bootCount: 1, nonce: "x", earlier: [] }).ok, true);
  });
});
