// What each command does: revisions, versions, conditions, bounds.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import {
  type Condition,
  encodeCommand,
  type KvCommand,
  MAX_KEYS_PER_COMMAND,
  UnknownCommand,
} from "../../lib/kv/mod.ts";
import { bytes, del, delPrefix, Kv, put, text } from "./support.ts";

describe("put", () => {
  test("creates with version 1, then changes", () => {
    const kv = new Kv();
    assertEquals(kv.run(put("a", "1")), {
      type: "put",
      created: true,
      revision: 1,
      createRevision: 1,
      version: 1,
    });
    assertEquals(kv.run(put("a", "2")), {
      type: "put",
      created: false,
      revision: 2,
      createRevision: 1,
      version: 2,
    });
    const item = kv.get("a");
    assertEquals(item && text(item.value), "2");
    assertEquals(item?.contentType, "text/plain");
    assertEquals([item?.revision, item?.createRevision, item?.version], [2, 1, 2]);
  });

  test("after a delete begins anew", () => {
    const kv = new Kv();
    kv.run(put("a", "1"));
    kv.run(put("a", "2"));
    assertEquals(kv.run(del("a")), { type: "delete", deleted: 1, revision: 3 });
    assertEquals(kv.get("a"), null);
    assertEquals(kv.run(put("a", "3")), {
      type: "put",
      created: true,
      revision: 4,
      createRevision: 4,
      version: 1,
    });
  });

  test("keeps an empty value and an empty content type", () => {
    const kv = new Kv();
    kv.run({ type: "put", keyspace: 0, key: bytes("a"), value: bytes(""), contentType: "", conditions: [] });
    assertEquals(kv.get("a")?.value.byteLength, 0);
    assertEquals(kv.get("a")?.contentType, "");
  });
});

describe("conditions", () => {
  const revision = (n: number): Condition => ({ type: "revision", revision: n });
  const value = (of: string): Condition => ({ type: "value", value: bytes(of) });
  const exists: Condition = { type: "exists" };
  const absent: Condition = { type: "absent" };
  // The store holds "there" = "v", last changed at revision 2.
  const table: [string, Condition[], boolean][] = [
    ["there", [], true],
    ["there", [revision(2)], true],
    ["there", [revision(1)], false],
    ["there", [revision(0)], false],
    ["there", [value("v")], true],
    ["there", [value("w")], false],
    ["there", [value("")], false],
    ["there", [exists], true],
    ["there", [absent], false],
    ["there", [exists, revision(2), value("v")], true],
    ["there", [exists, revision(2), value("w")], false],
    ["there", [exists, absent], false],
    ["gone", [], true],
    ["gone", [revision(2)], false],
    ["gone", [revision(0)], false],
    ["gone", [value("")], false],
    ["gone", [exists], false],
    ["gone", [absent], true],
  ];
  for (const [key, conditions, holds] of table) {
    const name = `${key} if ${JSON.stringify(conditions.map(({ type }) => type))}: ${
      holds ? "done" : "refused"
    }`;
    for (const command of [put(key, "new", ...conditions), del(key, ...conditions)]) {
      test(`${command.type} ${name}`, () => {
        const kv = new Kv();
        kv.run(put("there", "u"));
        kv.run(put("there", "v"));
        const before = kv.get(key);
        const result = kv.run(command);
        if (holds) return assertEquals(result.type, command.type);
        assertEquals(result, { type: "precondition_failed", current: key === "there" ? 2 : null });
        assertEquals(kv.get(key), before);
      });
    }
  }
});

describe("delete", () => {
  test("of nothing says 0, with the revision of the command", () => {
    const kv = new Kv();
    kv.run(put("a", "1"));
    assertEquals(kv.run(del("b")), { type: "delete", deleted: 0, revision: 2 });
  });

  test("by prefix takes those and no others", () => {
    const kv = new Kv();
    for (const key of ["a", "a/", "a/1", "a/2", "a0", "b"]) kv.run(put(key, "x"));
    assertEquals(kv.run(delPrefix("a/")), { type: "delete", deleted: 3, revision: 7 });
    assertEquals(kv.keys(), ["a", "a0", "b"]);
    assertEquals(kv.run(delPrefix("a/")), { type: "delete", deleted: 0, revision: 8 });
  });

  test("by an empty prefix takes the keyspace and leaves the others", () => {
    const kv = new Kv();
    for (const keyspace of [0, 1, 255]) kv.run({ ...put("a", "x"), keyspace });
    assertEquals(kv.run({ ...delPrefix(""), keyspace: 255 }), { type: "delete", deleted: 1, revision: 4 });
    assertEquals(kv.run(delPrefix("")), { type: "delete", deleted: 1, revision: 5 });
    assertEquals([kv.get("a"), kv.get("a", 255)], [null, null]);
    assert(kv.get("a", 1) !== null);
  });

  test("by a prefix of 0xFF bytes, which nothing follows in the keyspace", () => {
    const kv = new Kv();
    const key = new Uint8Array([0xff, 0xff, 0x01]);
    const command: KvCommand = { type: "put", keyspace: 7, key, value: key, contentType: "", conditions: [] };
    kv.run(command);
    kv.run({ ...command, keyspace: 8 });
    assertEquals(kv.run({ type: "deletePrefix", keyspace: 7, prefix: new Uint8Array([0xff, 0xff]) }), {
      type: "delete",
      deleted: 1,
      revision: 3,
    });
    assertEquals(kv.list({ keyspace: 8 }).items.length, 1);
  });

  test("by prefix is bounded: exactly 10,000 are done, one more and nothing is", () => {
    const kv = new Kv();
    for (let n = 0; n <= MAX_KEYS_PER_COMMAND; n++) kv.run(put(`p/${n}`, ""));
    assertEquals(kv.run(delPrefix("p/")), { type: "too_many", limit: MAX_KEYS_PER_COMMAND });
    assertEquals(kv.list({ limit: 1000 }).items.length, 1000);
    kv.run(del("p/0"));
    assertEquals(kv.run(delPrefix("p/")), {
      type: "delete",
      deleted: MAX_KEYS_PER_COMMAND,
      revision: MAX_KEYS_PER_COMMAND + 4,
    });
    assertEquals(kv.keys(), []);
  });
});

describe("what the machine does not know", () => {
  test("an unknown kind, option or condition stops it before it changes anything", () => {
    const kv = new Kv();
    const known = encodeCommand(put("a", "1", { type: "absent" }));
    const changed = (at: number, byte: number) => known.with(at, byte);
    assertEquals(known[6], 4);
    for (const command of [changed(0, 0), changed(0, 99), changed(1, 1), changed(6, 9)]) {
      assertThrows(() => kv.apply(command), UnknownCommand);
    }
    assertEquals(kv.keys(), []);
  });
});
