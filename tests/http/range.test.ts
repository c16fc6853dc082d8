// GET and DELETE of /v1/kv?prefix=…
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { keyTarget } from "../../lib/client/mod.ts";
import { encodeCommand, encodeResult } from "../../lib/kv/mod.ts";
import type { ReadPermit } from "../../lib/replica/api.ts";
import { problemOf, testApp } from "./support.ts";

async function filled(keys: readonly string[]) {
  const made = testApp();
  for (const key of keys) {
    const init = { method: "PUT", body: `value of ${key}`, headers: { "Content-Type": "text/plain" } };
    await made.request(keyTarget(key), init);
  }
  const keysOf = async (query: string): Promise<string[]> =>
    (await (await made.request(`/v1/kv?${query}`)).json()).items.map((item: { key: string }) => item.key);
  return { ...made, keysOf };
}

describe("listing", () => {
  test("items as api.md says; bytes that are not UTF-8 in base64", async () => {
    const { request } = await filled(["a/1"]);
    await request("/v1/kv/a/2", { method: "PUT", body: new Uint8Array([255, 0]) });
    await request("/v1/kv/a/3", { method: "PUT", body: "\uFEFFmark", headers: { "Content-Type": "x/y" } });
    const [first, second, third] = (await (await request("/v1/kv?prefix=a/")).json()).items;
    const counted = (revision: number) => ({ revision, createRevision: revision, version: 1 });
    assertEquals(first, {
      key: "a/1",
      value: "value of a/1",
      encoding: "utf8",
      contentType: "text/plain",
      ...counted(2),
    });
    const octets = { encoding: "base64", contentType: "application/octet-stream" };
    assertEquals(second, { key: "a/2", value: "/wA=", ...octets, ...counted(3) });
    assertEquals(third.value, "\uFEFFmark");
    const page = await (await request("/v1/kv?prefix=a/1&keys_only=true")).json();
    assertEquals(page, { revision: 4, items: [{ key: "a/1", contentType: "text/plain", ...counted(2) }] });
  });

  test("ranges, in the order of UTF-8 bytes, both ways", async () => {
    const { keysOf } = await filled(["b", "a/2", "a/1", "a", "é", "🚣", "\uFFFD", "Z"]);
    assertEquals(await keysOf(""), ["Z", "a", "a/1", "a/2", "b", "é", "\uFFFD", "🚣"]);
    assertEquals(await keysOf("reverse=true&limit=3"), ["🚣", "\uFFFD", "é"]);
    assertEquals(await keysOf("prefix=a"), ["a", "a/1", "a/2"]);
    assertEquals(await keysOf("start=a/1&end=b"), ["a/1", "a/2"]);
    assertEquals(await keysOf("prefix=a/&start=a/2"), ["a/2"]);
    assertEquals(await keysOf("start=b&end=a"), []);
  });

  test("pages by cursor meet each key once", async () => {
    const keys = Array.from({ length: 25 }, (_, at) => `k${String(at).padStart(2, "0")}`);
    const { request } = await filled(keys);
    for (const direction of ["", "&reverse=true"]) {
      const met: string[] = [];
      let cursor = "";
      do {
        const page = await (await request(`/v1/kv?prefix=k&limit=10&cursor=${cursor}${direction}`)).json();
        met.push(...page.items.map((item: { key: string }) => item.key));
        cursor = page.cursor ?? "";
      } while (cursor !== "");
      assertEquals(met, direction === "" ? keys : keys.toReversed());
    }
  });

  test("a page names the revision it shows, also when more was applied since the permission", async () => {
    const { request, replica } = await filled(["a"]); // revision 2
    const { promise, resolve } = Promise.withResolvers<ReadPermit>();
    replica.nextPermit = promise;
    const listed = request("/v1/kv?prefix=a");
    const got = request("/v1/kv/a");
    // The replica permits the reads and goes on applying, all in one turn.
    resolve({ ok: true, index: 2, term: 3, stalenessMs: 0 });
    const change = { type: "put", keyspace: 0, key: new Uint8Array([97]), value: new Uint8Array() } as const;
    replica.propose(encodeCommand({ ...change, contentType: "", conditions: [] }), { timeoutMs: 1 });
    const page = await (await listed).json();
    assertEquals([page.revision, page.items[0].revision], [3, 3]);
    const one = await got;
    assertEquals([one.headers.get("coracle-revision"), one.headers.get("etag")], ["3", '"3"']);
  });

  test("bad parameters", async () => {
    const { request } = testApp();
    const table = [
      "limit=0",
      "limit=1001",
      "limit=x",
      "limit=",
      "cursor=%21",
      "reverse=maybe",
      "keys_only=2",
    ];
    for (const query of [...table, `prefix=${"x".repeat(2049)}`, "prefix=%ff", "consistency=odd"]) {
      assertEquals(await problemOf(await request(`/v1/kv?${query}`)), "400 invalid_request", query);
    }
  });
});

describe("deleting a prefix", () => {
  test("says how many", async () => {
    const { request, keysOf } = await filled(["a/1", "a/2", "b"]);
    const remove = async (query: string) =>
      await (await request(`/v1/kv?${query}`, { method: "DELETE" })).json();
    assertEquals(await remove("prefix=a/"), { deleted: 2, revision: 5 });
    assertEquals(await keysOf(""), ["b"]);
    assertEquals(await remove("prefix="), { deleted: 1, revision: 6 });
  });

  test("what would be misunderstood is refused", async () => {
    const { request, keysOf } = await filled(["a"]);
    const status = async (query: string, headers: Record<string, string> = {}) =>
      await problemOf(await request(`/v1/kv?${query}`, { method: "DELETE", headers }));
    assertEquals(await status("start=a"), "400 invalid_request");
    assertEquals(await status("prefix=a&limit=1"), "400 invalid_request");
    assertEquals(await status("prefix=a", { "If-Match": '"2"' }), "400 invalid_request");
    assertEquals(await status("prefix=a", { "Idempotency-Key": "x" }), "501 not_implemented");
    assertEquals(await keysOf(""), ["a"]);
  });

  test("more than 10,000 keys at once is 413, and nothing is done", async () => {
    const { request, replica } = testApp();
    const result = encodeResult({ type: "too_many", limit: 10_000 });
    replica.nextOutcome = { type: "done", index: 9, term: 3, result };
    assertEquals(await problemOf(await request("/v1/kv?prefix=a", { method: "DELETE" })), "413 too_large");
  });
});
