// The durable log over a bad disk: what was acknowledged is there, and what is not as it was written is found out.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import type { ConfigurationAt } from "../../lib/raft/mod.ts";
import { CorruptStorage } from "../../lib/replica/corruption.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { nativeChecksum } from "../../lib/storage/mod.ts";
import { allEntries, append, corruptionOf, entriesFrom, entry, logOn, someNode } from "./support.ts";

const term1 = { currentTerm: 1, votedFor: "n1~abc", withholdMs: 0 };

/** A disk with an identity, ten entries of term 1 in four transactions. */
function diskOfTen(): MemoryDisk {
  const disk = new MemoryDisk();
  const log = logOn(disk);
  log.saveNode(someNode, (error) => assertEquals(error, null));
  append(log, entriesFrom(1, 4, 1), term1);
  append(log, entriesFrom(5, 3, 1));
  append(log, entriesFrom(8, 3, 1));
  disk.crash();
  return disk;
}

const reasonOn = (disk: MemoryDisk) => corruptionOf(disk.openLog(), disk.openWitness());

describe("a sound log", () => {
  test("a brand-new table opens, without an identity", () => {
    const log = logOn(new MemoryDisk());
    assertEquals(log.node(), null);
    assertEquals(log.restored(), {
      hardState: { currentTerm: 0, votedFor: null, withholdMs: 0 },
      last: { index: 0, term: 0 },
      lastTime: 0,
      configurations: [],
    });
  });

  test("identity, hard state, configurations and entries survive a crash", () => {
    const disk = diskOfTen();
    const log = logOn(disk);
    const configurations: ConfigurationAt[] = [
      { index: 0, configuration: { voters: ["n1~abc"], outgoing: [], learners: [] } },
      { index: 7, configuration: { voters: ["n1~abc", "n2~x"], outgoing: ["n1~abc"], learners: ["n3~y"] } },
    ];
    const node = {
      ...someNode,
      bootCount: 2,
      clusterId: "c",
      record: ["n1~abc"],
      started: true,
      peerBoots: { b: { bootCount: 3, nonce: "z" } },
    };
    log.append(
      { hardState: { currentTerm: 7, votedFor: null, withholdMs: 0 }, entries: [], configurations, node },
      () => {},
    );
    disk.crash();
    const again = logOn(disk);
    assertEquals(again.node(), node);
    assertEquals(again.restored(), {
      hardState: { currentTerm: 7, votedFor: null, withholdMs: 0 },
      last: { index: 10, term: 1 },
      lastTime: 100,
      configurations,
    });
    assertEquals(allEntries(again), entriesFrom(1, 10, 1));
    assertEquals(again.term(3), 1);
    assertEquals(again.term(0), 0);
  });

  test("a truncation takes the chain up again where it cuts", () => {
    const disk = diskOfTen();
    const log = logOn(disk);
    append(log, [entry(6, 2, "new"), entry(7, 2, "new")], { currentTerm: 2, votedFor: null, withholdMs: 0 });
    append(log, [entry(8, 2, "more")]);
    append(log, [entry(1, 3, "all over")], { currentTerm: 3, votedFor: null, withholdMs: 0 });
    append(log, [entry(2, 3)]);
    disk.crash();
    assertEquals(allEntries(logOn(disk)), [entry(1, 3, "all over"), entry(2, 3)]);
  });

  test("several transactions under way: truncations among them keep the chain, and a crash keeps a prefix", () => {
    for (let survivors = 0; survivors <= 4; survivors++) {
      const disk = new MemoryDisk({ complete: () => {} });
      const log = logOn(disk);
      const hardState = { currentTerm: 3, votedFor: null, withholdMs: 0 };
      log.append({ hardState, entries: entriesFrom(1, 5, 1), configurations: null }, () => {});
      log.append({ hardState: null, entries: [entry(4, 2)], configurations: null }, () => {});
      log.append({ hardState: null, entries: [entry(5, 2), entry(6, 2)], configurations: null }, () => {});
      log.append({ hardState: null, entries: [entry(5, 3)], configurations: null }, () => {});
      assertEquals(log.last(), { index: 0, term: 0 }, "nothing is durable yet");
      let left = survivors;
      disk.crash({ survives: () => left-- > 0 });
      const terms = allEntries(logOn(disk)).map(({ term }) => term);
      assertEquals(
        terms,
        [[], [1, 1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 3]][survivors] ?? [],
      );
    }
  });

  test("completions come in order, and an append of nothing waits for those before it", () => {
    const waiting: (() => void)[] = [];
    const disk = new MemoryDisk({ complete: (_file, run) => waiting.push(run) });
    const log = logOn(disk);
    const heard: string[] = [];
    log.append(
      { hardState: term1, entries: [entry(1, 1)], configurations: null },
      () => heard.push(`a ${log.last().index}`),
    );
    log.append(
      { hardState: null, entries: [entry(2, 1)], configurations: null },
      () => heard.push(`b ${log.last().index}`),
    );
    log.append(
      { hardState: null, entries: [], configurations: null },
      () => heard.push(`nothing ${log.last().index}`),
    );
    waiting[1]?.();
    assertEquals(heard, []);
    waiting[0]?.();
    assertEquals(heard, ["a 1", "b 2", "nothing 2"]);
  });

  test("the native checksum reads what ours wrote", () => {
    const disk = diskOfTen();
    const opened = openDurableLog({
      table: disk.openLog(),
      witness: disk.openWitness(),
      checksum: nativeChecksum,
    });
    assert(opened.ok);
  });

  test("reads stop at maxBytes but give at least one entry", () => {
    const log = logOn(diskOfTen());
    assertEquals(log.entries(3, 9, 0).map(({ index }) => index), [3]);
    assert(log.entries(3, 9, 100).length < 7);
  });
});

describe("a failed commit", () => {
  test("fails this append and all after it, and the witness hears of neither", () => {
    const disk = diskOfTen();
    const log = logOn(disk);
    disk.failCommit("log", 2, new Error("EIO"));
    const heard: (string | undefined)[] = [];
    for (const index of [11, 12, 13]) {
      log.append(
        { hardState: null, entries: [entry(index, 1)], configurations: null },
        (error) => heard.push(error?.message),
      );
    }
    log.append({ hardState: null, entries: [], configurations: null }, (error) => heard.push(error?.message));
    assertEquals(heard, [undefined, "EIO", "EIO", "EIO"]);
    disk.crash();
    assertEquals(logOn(disk).last().index, 11);
  });
});

describe("a witness that is no proof", () => {
  for (const witness of ["older", "torn", "missing"] as const) {
    test(`${witness}: the log opens`, () => {
      const disk = diskOfTen();
      disk.crash({ witness });
      const log = logOn(disk);
      assertEquals(log.last().index, 10);
      assertEquals(log.notes.length, witness === "older" ? 0 : 1);
      append(log, [entry(11, 1)]);
      disk.crash();
      assertEquals(logOn(disk).notes, []);
    });
  }
});

describe("corruption is found at opening", () => {
  test("a flipped bit in any byte of any row", () => {
    for (let index = 1; index <= 10; index++) {
      for (let bit = index % 8; bit < 300; bit += 8) {
        const disk = diskOfTen();
        if (disk.flipLogRow(index, bit)) assertMatch(reasonOn(disk), /corrupt: entr/);
      }
    }
  });

  test("a flipped bit in any named value", () => {
    for (const name of ["sequence", "hardState", "node"]) {
      for (let bit = 0; bit < 200; bit += 7) {
        const disk = diskOfTen();
        assert(disk.flipLogMeta(name, bit));
        assertMatch(reasonOn(disk), /The log is corrupt: .*must not vote/);
      }
    }
  });

  test("a row that vanished: first, middle, last", () => {
    for (const index of [1, 5, 10]) {
      const disk = diskOfTen();
      assert(disk.removeLogRow(index));
      assertMatch(reasonOn(disk), /missing|before the first|end at 9/);
    }
  });

  test("a named value that vanished", () => {
    for (const name of ["sequence", "hardState", "node"]) {
      const disk = diskOfTen();
      assert(disk.removeLogMeta(name));
      assertMatch(reasonOn(disk), /corrupt/);
    }
  });

  test("acknowledged transactions that the table forgot: only the witness knows", () => {
    for (const count of [1, 2, 4]) {
      const disk = diskOfTen();
      assertEquals(disk.loseLastLogCommits(count), count);
      assertMatch(reasonOn(disk), count === 4 ? /is empty, but the witness/ : /forgotten.*transaction 4/);
    }
  });

  test("a forgotten vote", () => {
    const disk = diskOfTen();
    append(logOn(disk), [], { currentTerm: 2, votedFor: "n2", withholdMs: 0 });
    disk.loseLastLogCommits(1);
    assertMatch(reasonOn(disk), /forgotten/);
  });

  test("an empty table beside a witness", () => {
    const disk = diskOfTen();
    const witness = disk.openWitness();
    assertMatch(corruptionOf(new MemoryDisk().openLog(), witness), /empty, but the witness has seen 4/);
  });

  test("the witness of another replica, and of another history of the same", () => {
    const disk = diskOfTen();
    const other = new MemoryDisk();
    logOn(other).saveNode({ ...someNode, incarnation: "other" }, () => {});
    assertMatch(corruptionOf(disk.openLog(), other.openWitness()), /another replica/);
    const twin = new MemoryDisk();
    const log = logOn(twin);
    log.saveNode(someNode, () => {});
    append(log, entriesFrom(1, 4, 1), term1);
    append(log, entriesFrom(5, 3, 1));
    append(log, [entry(8, 1, "different")]);
    assertMatch(corruptionOf(disk.openLog(), twin.openWitness()), /not the one that the witness has seen/);
  });
});

describe("corruption is found later too", () => {
  test("reading a row that went bad is fatal", () => {
    const disk = diskOfTen();
    const heard: string[] = [];
    const opened = openDurableLog({
      table: disk.openLog(),
      witness: disk.openWitness(),
      fatal: (message) => heard.push(message),
    });
    assert(opened.ok);
    disk.flipLogRow(5, 150);
    assertThrows(() => opened.log.entries(4, 6, Infinity), CorruptStorage, "entry 5");
    assertThrows(() => opened.log.term(5), CorruptStorage);
    disk.removeLogRow(7);
    assertThrows(() => opened.log.entries(6, 8, Infinity), CorruptStorage, "entry 7 is missing");
    assertThrows(() => opened.log.entries(7, 7, Infinity), CorruptStorage, "entry 7 is missing");
    assertEquals(heard.length, 4);
  });
});

describe("what nobody may ask for", () => {
  test("a gap, a falling term, entries without a hard state", () => {
    const log = logOn(diskOfTen());
    assertThrows(() => append(log, [entry(12, 1)]), Error, "cannot follow");
    assertThrows(() => append(log, [entry(11, 1), entry(13, 1)]), Error, "after entry");
    assertThrows(() => append(log, [entry(11, 0)]), Error, "term falls");
    assertThrows(() => append(logOn(new MemoryDisk()), [entry(1, 1)]), Error, "hard state");
  });
});
