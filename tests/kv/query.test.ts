// Ranges, pages and cursors.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { decodeCursor, encodeCursor, MAX_PAGE_BYTES, MAX_PAGE_ITEMS } from "../../lib/kv/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { bytes, del, Kv, put, text } from "./support.ts";

describe("list", () => {
  const kv = new Kv();
  // By code units of UTF-16, "\u{1F600}" would come before "\uFFFD"; by bytes it comes after.
  for (const key of ["b/1", "a", "\u{1F600}", "b", "\uFFFD", "b/2", "c", "b/10"]) {
    kv.run(put(key, `value of ${key}`));
  }
  kv.run({ ...put("elsewhere", "x"), keyspace: 1 });
  const all = ["a", "b", "b/1", "b/10", "b/2", "c", "\uFFFD", "\u{1F600}"];

  const table: [string, Parameters<Kv["keys"]>[0], string[]][] = [
    ["all, in the order of bytes", {}, all],
    ["in reverse", { reverse: true }, all.toReversed()],
    ["prefix", { prefix: bytes("b/") }, ["b/1", "b/10", "b/2"]],
    ["prefix in reverse", { prefix: bytes("b/"), reverse: true }, ["b/2", "b/10", "b/1"]],
    ["start is inclusive, end exclusive", { start: bytes("b"), end: bytes("b/2") }, ["b", "b/1", "b/10"]],
    ["in reverse too", { start: bytes("b"), end: bytes("b/2"), reverse: true }, ["b/10", "b/1", "b"]],
    ["prefix meets start", { prefix: bytes("b/"), start: bytes("b/10") }, ["b/10", "b/2"]],
    ["prefix meets end", { prefix: bytes("b/"), end: bytes("b/10") }, ["b/1"]],
    ["prefix inside start and end", { prefix: bytes("b/"), start: bytes("a"), end: bytes("z") }, [
      "b/1",
      "b/10",
      "b/2",
    ]],
    ["prefix outside of start and end", { prefix: bytes("b/"), start: bytes("c") }, []],
    ["start after end", { start: bytes("c"), end: bytes("a") }, []],
    ["start at end", { start: bytes("b"), end: bytes("b") }, []],
    ["an empty end", { end: bytes("") }, []],
    ["after", { after: bytes("b/10") }, ["b/2", "c", "\uFFFD", "\u{1F600}"]],
    ["after a key that is gone", { after: bytes("b/11") }, ["b/2", "c", "\uFFFD", "\u{1F600}"]],
    ["after, in reverse", { after: bytes("b/10"), reverse: true }, ["b/1", "b", "a"]],
    ["after before start", { after: bytes("a"), start: bytes("c") }, ["c", "\uFFFD", "\u{1F600}"]],
    ["limit", { limit: 2 }, ["a", "b"]],
    ["limit is at least 1", { limit: 0 }, ["a"]],
    ["another keyspace", { keyspace: 1 }, ["elsewhere"]],
    ["an empty keyspace", { keyspace: 2 }, []],
  ];
  for (const [name, query, expected] of table) test(name, () => assertEquals(kv.keys(query), expected));

  test("next is the last key while more follow", () => {
    assertEquals(kv.list({ limit: 2 }).next, bytes("b"));
    assertEquals(kv.list({ limit: 8 }).next, null);
    assertEquals(kv.list({ limit: 7 }).next, bytes("\uFFFD"));
  });

  test("keysOnly leaves the value out and nothing else", () => {
    const [item] = kv.list({ keysOnly: true, limit: 1 }).items;
    const [full] = kv.list({ limit: 1 }).items;
    assert(item !== undefined && full !== undefined);
    assertEquals(item, { ...full, value: null });
    assertEquals(full.value, bytes("value of a"));
  });

  test("a page is bounded in items and in bytes", () => {
    const many = new Kv();
    for (let n = 0; n < MAX_PAGE_ITEMS + 1; n++) many.run(put(`k${n}`, ""));
    assertEquals(many.list({ limit: 1_000_000 }).items.length, MAX_PAGE_ITEMS);
    const large = new Kv();
    const value = "x".repeat(MAX_PAGE_BYTES / 4);
    for (let n = 0; n < 10; n++) large.run(put(`k${n}`, value));
    const page = large.list();
    assertEquals(page.items.length, 4);
    assertEquals(page.next, bytes("k3"));
    const tooLargeForAPage = new Kv();
    tooLargeForAPage.run(put("a", value.repeat(5)));
    assertEquals(tooLargeForAPage.list().items.length, 1);
    assertEquals(tooLargeForAPage.list().next, null);
  });
});

for (const reverse of [false, true]) {
  test(`over a whole listing${reverse ? " in reverse" : ""}, what was there all the time appears exactly once`, () => {
    const seed = printedSeed("listing");
    const random = seededRandom(seed);
    const key = () => `k/${Math.floor(random() * 400)}`;
    for (let round = 0; round < 20; round++) {
      const kv = new Kv();
      for (let n = 0; n < 300; n++) kv.run(put(key(), "x"));
      const always = new Set(kv.keys({ limit: 1000 }));
      const seen: string[] = [];
      let after: Uint8Array | undefined;
      do {
        const page = kv.list({ prefix: bytes("k/"), limit: 1 + Math.floor(random() * 20), after, reverse });
        seen.push(...page.items.map((item) => text(item.key)));
        // What a client sends back for the next page.
        const cursor = page.next === null ? null : decodeCursor(encodeCursor(page.next));
        after = cursor?.ok ? cursor.value : undefined;
        for (let n = 0; n < 10; n++) {
          const changed = key();
          if (random() < 0.5) kv.run(put(changed, "y"));
          else if (kv.run(del(changed)).type === "delete") always.delete(changed);
        }
      } while (after !== undefined);
      assertEquals(new Set(seen).size, seen.length, `a key twice, SEED=${seed}`);
      for (const there of always) assert(seen.includes(there), `${there} is missing, SEED=${seed}`);
    }
  });
}

describe("cursor", () => {
  test("round trip, for any bytes", () => {
    for (
      const key of [
        bytes("a"),
        bytes("a/ö"),
        new Uint8Array([0]),
        new Uint8Array([255, 254, 0]),
        bytes("x".repeat(2048)),
      ]
    ) {
      const cursor = encodeCursor(key);
      assert(/^[A-Za-z0-9_-]+$/.test(cursor));
      assertEquals(decodeCursor(cursor), { ok: true, value: key });
    }
  });

  test("what we did not make is refused, not thrown", () => {
    const good = encodeCursor(bytes("a/b"));
    for (
      const bad of [
        "",
        "A",
        "AQ",
        "????",
        "a b",
        `${good}=`,
        ` ${good}`,
        `${good}\n`,
        "AmEvYg",
        "ä",
        "AWF/",
        "AWF=",
      ]
    ) {
      assertEquals(decodeCursor(bad).ok, false, JSON.stringify(bad));
    }
  });
});
