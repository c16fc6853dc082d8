// The applied state: index and rows are one, its hash is a function of the rows alone, and a row that changed is found.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import { type AppliedState, openAppliedState } from "../../lib/replica/applied-state.ts";
import { CorruptStorage } from "../../lib/replica/corruption.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { commitState, soundState, text, textOf } from "./support.ts";

function put(state: AppliedState, key: string, value: string): void {
  state.store.put(text(key), text(value));
  state.advance(state.applied().appliedIndex + 1, 1, 10);
}

const stateOn = (disk: MemoryDisk) => soundState(disk.openState());

describe("what is durable", () => {
  test("a crash takes rows and index back to the last commit, together", () => {
    const disk = new MemoryDisk();
    const state = stateOn(disk);
    assertEquals(state.record(), null);
    const configuration = { index: 0, configuration: { voters: ["n1"], outgoing: [], learners: [] } };
    state.adopt("cluster", configuration);
    put(state, "a", "1");
    commitState(state);
    const hash = state.hash();
    put(state, "a", "2");
    put(state, "b", "2");
    state.store.delete(text("a"));
    disk.crash();
    const again = stateOn(disk);
    assertEquals(again.record(), {
      appliedIndex: 1,
      appliedTerm: 1,
      logTime: 10,
      clusterId: "cluster",
      configuration,
      stateHash: hash,
    });
    assertEquals(again.hash(), hash);
    assertEquals(textOf(again.store.get(text("a"))), "1");
    assertEquals(again.store.get(text("b")), null);
    assertEquals(again.verify(), null);
  });

  test("a commit under way may survive, later writes never do", () => {
    for (const survives of [true, false]) {
      const disk = new MemoryDisk({ complete: () => {} });
      const state = stateOn(disk);
      put(state, "a", "1");
      state.commit(() => {});
      put(state, "a", "2");
      assertEquals(state.record(), null, "not durable before it completes");
      disk.crash({ survives: () => survives });
      const again = stateOn(disk);
      assertEquals(again.applied().appliedIndex, survives ? 1 : 0);
      assertEquals(textOf(again.store.get(text("a"))), survives ? "1" : null);
      assertEquals(again.verify(), null);
    }
  });

  test("a commit that fails says so", () => {
    const disk = new MemoryDisk();
    const state = stateOn(disk);
    disk.failCommit("state", 1, new Error("EIO"));
    put(state, "a", "1");
    let heard: Error | null = null;
    state.commit((error) => heard = error);
    assertMatch(String(heard), /EIO/);
    disk.crash();
    assertEquals(stateOn(disk).record(), null);
  });
});

describe("when a commit is due", () => {
  test("after so many entries, bytes or ms, and never without a change", () => {
    const state = stateOn(new MemoryDisk());
    assert(!state.needsCommit(10_000));
    put(state, "a", "1");
    assert(!state.needsCommit(499));
    assert(state.needsCommit(500));
    assert(state.needsCommit(0, { entries: 1 }));
    put(state, "big", "x".repeat(17 * 1024 * 1024));
    assert(state.needsCommit(0));
    commitState(state);
    assert(!state.needsCommit(10_000));
    for (let count = 0; count < 10_000; count++) put(state, "a", "1");
    assert(state.needsCommit(0));
  });

  test("entries are applied one after the other", () => {
    const state = stateOn(new MemoryDisk());
    assertThrows(() => state.advance(2, 1, 0), Error, "after entry 0");
  });
});

describe("the hash of the state", () => {
  test("is the same whichever way led to the same rows", () => {
    const seed = printedSeed("state hash");
    const random = seededRandom(seed);
    const below = (bound: number) => Math.floor(random() * bound);
    const disk = new MemoryDisk();
    let state = stateOn(disk);
    const model = new Map<string, string>();
    for (let step = 0; step < 2000; step++) {
      const key = `key ${below(100)}`;
      if (below(3) > 0) {
        model.set(key, `${below(5)}`);
        state.store.put(text(key), text(model.get(key) ?? ""));
      } else {
        assertEquals(state.store.delete(text(key)), model.delete(key));
      }
      state.advance(step + 1, 1, 0);
      if (below(100) === 0) {
        commitState(state);
        disk.crash();
        state = stateOn(disk);
      }
    }
    const fresh = stateOn(new MemoryDisk());
    for (const [key, value] of [...model].reverse()) fresh.store.put(text(key), text(value));
    assertEquals(state.hash(), fresh.hash(), `seed ${seed}`);
    assertEquals(state.verify(), null);
    put(fresh, "key 1", "other");
    assertNotEquals(state.hash(), fresh.hash());
    for (const key of [...model.keys(), "key 1"]) fresh.store.delete(text(key));
    assertEquals(fresh.hash(), "0000000000000000");
  });

  test("key and value are told apart, and which key has which value", () => {
    const hashOf = (rows: readonly (readonly [string, string])[]) => {
      const state = stateOn(new MemoryDisk());
      for (const [key, value] of rows) state.store.put(text(key), text(value));
      return state.hash();
    };
    assertNotEquals(hashOf([["ab", "c"]]), hashOf([["a", "bc"]]));
    assertNotEquals(hashOf([["a", "1"], ["b", "2"]]), hashOf([["a", "2"], ["b", "1"]]));
  });
});

describe("corruption", () => {
  function diskOfTwo(): MemoryDisk {
    const disk = new MemoryDisk();
    const state = stateOn(disk);
    put(state, "a", "1");
    put(state, "b", "2");
    commitState(state);
    disk.crash();
    return disk;
  }

  test("a flipped bit of a row is fatal to whoever reads it: get, scan, put", () => {
    for (let bit = 0; bit < 72; bit++) {
      const disk = diskOfTwo();
      assert(disk.flipStateRow(1, bit));
      const heard: string[] = [];
      const opened = openAppliedState({ store: disk.openState(), fatal: (message) => heard.push(message) });
      assert(opened.ok);
      const { store } = opened.state;
      assertEquals(textOf(store.get(text("a"))), "1");
      assertThrows(() => store.get(text("b")), CorruptStorage, "checksum");
      assertThrows(() => store.put(text("b"), text("3")), CorruptStorage);
      assertThrows(() => [...store.scan({ start: text("a"), end: null })], CorruptStorage);
      assertEquals(heard.length, 3);
      assertMatch(opened.state.verify()?.reason ?? "", /move state.sqlite/);
    }
  });

  test("a row that vanished is found by verify", () => {
    const disk = diskOfTwo();
    assert(disk.removeStateRow(text("a")));
    assertMatch(stateOn(disk).verify()?.reason ?? "", /not those that were written/);
  });

  test("a flipped bit of the record is found at opening", () => {
    for (let bit = 0; bit < 300; bit++) {
      const disk = diskOfTwo();
      assert(disk.flipStateRecord(bit));
      const opened = openAppliedState({ store: disk.openState() });
      assert(!opened.ok);
      assertMatch(opened.corruption.reason, /The applied state is corrupt/);
    }
  });
});
