// /v1/kv as api.md says: one key.
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { Outcome, ReadPermit } from "../../lib/replica/api.ts";
import { problemOf, TERM, testApp } from "./support.ts";

const PUT = (body: BodyInit, headers: Record<string, string> = {}) => ({ method: "PUT", body, headers });

describe("PUT", () => {
  test("makes (201), changes (200), and says revision, createRevision and version", async () => {
    const { request } = testApp();
    const made = await request("/v1/kv/a/b", PUT("x"));
    assertEquals(made.status, 201);
    assertEquals(await made.json(), { key: "a/b", revision: 2, createRevision: 2, version: 1 });
    assertEquals(made.headers.get("etag"), '"2"');
    const changed = await request("/v1/kv/a/b", PUT("y"));
    assertEquals(changed.status, 200);
    assertEquals(await changed.json(), { key: "a/b", revision: 3, createRevision: 2, version: 2 });
  });

  test("every answer carries revision, term, node and leader", async () => {
    const { request, replica } = testApp();
    const of = (response: Response) =>
      ["revision", "term", "node", "leader"].map((name) => response.headers.get(`coracle-${name}`));
    assertEquals(of(await request("/v1/kv/a", PUT("x"))), ["2", "3", "n1", "n1"]);
    assertEquals(of(await request("/v1/kv/a")), ["2", "3", "n1", "n1"]);
    assertEquals(of(await request("/v1/kv/none")), ["2", "3", "n1", "n1"]);
    assertEquals(of(await request("/v1/kv?prefix=a")), ["2", "3", "n1", "n1"]);
    assertEquals(of(await request("/v1/kv/a", PUT("y", { "If-None-Match": "*" }))), ["3", "3", "n1", "n1"]);
    replica.picture = { leaderId: null, role: "follower" };
    replica.nextOutcome = { type: "refused", reason: "no_leader" };
    assertEquals(of(await request("/v1/kv/a", PUT("x"))), ["3", "3", "n1", ""]);
    assertEquals(of(await request("/v1/kv/a", { method: "DELETE" })), ["3", "3", "n1", ""]);
  });

  test("conditions", async () => {
    const { request } = testApp();
    await request("/v1/kv/a", PUT("x")); // revision 2
    const table: [headers: Record<string, string>, key: string, expected: string][] = [
      [{ "If-None-Match": "*" }, "a", "412 precondition_failed"],
      [{ "If-Match": '"1"' }, "a", "412 precondition_failed"],
      [{ "If-Match": '"2"' }, "b", "412 precondition_failed"],
      [{ "If-Match": "*" }, "b", "412 precondition_failed"],
      [{ "If-Match": 'W/"2"' }, "a", "412 precondition_failed"],
      [{ "If-Match": '"abc"' }, "a", "412 precondition_failed"],
      [{ "If-Match": '"99999999999999999999"' }, "a", "412 precondition_failed"],
      [{ "If-Match": "2" }, "a", "400 invalid_request"],
      [{ "If-Match": '"2", "3"' }, "a", "400 invalid_request"],
      [{ "If-Match": "" }, "a", "400 invalid_request"],
      [{ "If-None-Match": '"2"' }, "a", "400 invalid_request"],
    ];
    for (const [headers, key, expected] of table) {
      assertEquals(await problemOf(await request(`/v1/kv/${key}`, PUT("y", headers))), expected);
    }
    assertEquals(await (await request("/v1/kv/a")).text(), "x");
    const latest = (await request("/v1/kv/a")).headers.get("etag") ?? "";
    assertEquals((await request("/v1/kv/a", PUT("y", { "If-Match": latest }))).status, 200);
    assertEquals((await request("/v1/kv/c", PUT("y", { "If-None-Match": "*" }))).status, 201);
  });

  test("values: empty, 1 MiB, one byte more; with and without Content-Length", async () => {
    const { request, replica } = testApp();
    assertEquals((await request("/v1/kv/empty", { method: "PUT" })).status, 201);
    assertEquals((await (await request("/v1/kv/empty")).bytes()).byteLength, 0);
    const full = new Uint8Array(1024 * 1024).fill(7);
    assertEquals((await request("/v1/kv/full", PUT(full))).status, 201);
    assertEquals(await (await request("/v1/kv/full")).bytes(), full);
    const over = new Uint8Array(1024 * 1024 + 1);
    const before = replica.index;
    assertEquals(await problemOf(await request("/v1/kv/over", PUT(over))), "413 too_large");
    const declared = PUT("x", { "Content-Length": String(over.byteLength) });
    assertEquals(await problemOf(await request("/v1/kv/over", declared)), "413 too_large");
    assertEquals(replica.index, before);
  });

  test("a body over the limit is not read to its end", async () => {
    const { request } = testApp();
    let chunks = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        chunks++;
        controller.enqueue(new Uint8Array(256 * 1024));
      },
    });
    assertEquals(await problemOf(await request("/v1/kv/a", PUT(endless))), "413 too_large");
    assert(chunks < 10, `${chunks} chunks were read`);
  });

  test("a body that never comes is given up at the deadline: nothing was done", async () => {
    const { request, replica } = testApp();
    const never = new ReadableStream<Uint8Array>({});
    assertEquals(await problemOf(await request("/v1/kv/a?timeout=30ms", PUT(never))), "503 unavailable");
    assertEquals(replica.timeouts, []);
  });

  test("the three endings", async () => {
    const { request, replica } = testApp();
    const table: [outcome: Outcome, expected: string][] = [
      [{ type: "refused", reason: "no_leader" }, "503 unavailable"],
      [{ type: "refused", reason: "deadline" }, "503 unavailable"],
      [{ type: "refused", reason: "overloaded" }, "503 overloaded"],
      [{ type: "refused", reason: "disk_full" }, "503 unavailable"],
      [{ type: "refused", reason: "stopping" }, "503 unavailable"],
      [{ type: "refused", reason: "not_ready" }, "503 unavailable"],
      [{ type: "refused", reason: "removed" }, "503 unavailable"],
      [{ type: "refused", reason: "unknown_command" }, "501 not_implemented"],
      [{ type: "unknown", reason: "deadline" }, "504 outcome_unknown"],
      [{ type: "unknown", reason: "link_lost" }, "504 outcome_unknown"],
      [{ type: "unknown", reason: "stopping" }, "504 outcome_unknown"],
    ];
    for (const [outcome, expected] of table) {
      replica.nextOutcome = outcome;
      assertEquals(await problemOf(await request("/v1/kv/a", PUT("x"))), expected);
      assertEquals(await problemOf(await request("/v1/kv/a", { method: "DELETE" })), expected);
      assertEquals(await problemOf(await request("/v1/kv?prefix=a", { method: "DELETE" })), expected);
    }
  });

  test("a full disk says so", async () => {
    const { request, replica } = testApp();
    replica.nextOutcome = { type: "refused", reason: "disk_full" };
    assert(/disk is full/.test((await (await request("/v1/kv/a", PUT("x"))).json()).detail));
  });
});

describe("GET and HEAD", () => {
  test("the value as it was put, with its Content-Type", async () => {
    const { request } = testApp();
    const value = new Uint8Array([0, 255, 13, 10, 128]);
    await request("/v1/kv/a", PUT(value, { "Content-Type": "image/x-odd; a=b" }));
    const got = await request("/v1/kv/a");
    assertEquals(await got.bytes(), value);
    assertEquals(got.headers.get("content-type"), "image/x-odd; a=b");
    assertEquals(got.headers.get("etag"), '"2"');
    assertEquals(got.headers.get("coracle-create-revision"), "2");
    assertEquals(got.headers.get("coracle-version"), "1");
    const head = await request("/v1/kv/a", { method: "HEAD" });
    assertEquals([head.status, head.headers.get("content-length"), await head.text()], [200, "5", ""]);
    assertEquals(head.headers.get("content-type"), "image/x-odd; a=b");
    await request("/v1/kv/plain", PUT(value));
    assertEquals((await request("/v1/kv/plain")).headers.get("content-type"), "application/octet-stream");
  });

  test("a page that was put cannot act as a page of this node", async () => {
    const { request } = testApp();
    await request("/v1/kv/a", PUT("<script>", { "Content-Type": "text/html" }));
    assertEquals((await request("/v1/kv/a")).headers.get("content-security-policy"), "sandbox");
  });

  test("If-None-Match and If-Match", async () => {
    const { request } = testApp();
    await request("/v1/kv/a", PUT("x"));
    const status = async (headers: Record<string, string>) => (await request("/v1/kv/a", { headers })).status;
    assertEquals(await status({ "If-None-Match": '"2"' }), 304);
    assertEquals(await status({ "If-None-Match": '"1", W/"2"' }), 304);
    assertEquals(await status({ "If-None-Match": "*" }), 304);
    assertEquals(await status({ "If-None-Match": '"1"' }), 200);
    assertEquals(await status({ "If-Match": '"2"' }), 200);
    assertEquals(await status({ "If-Match": '"1"' }), 412);
    const unchanged = await request("/v1/kv/a", { headers: { "If-None-Match": '"2"' } });
    assertEquals([unchanged.headers.get("etag"), await unchanged.text()], ['"2"', ""]);
  });

  test("a read that cannot be confirmed is 503, never 504", async () => {
    const { request, replica } = testApp();
    const reasons: Extract<ReadPermit, { ok: false }>["reason"][] = [
      "no_leader",
      "deadline",
      "overloaded",
      "disk_full",
      "stopping",
      "not_ready",
      "removed",
      "too_stale",
    ];
    for (const reason of reasons) {
      replica.nextPermit = { ok: false, reason };
      for (const path of ["/v1/kv/a", "/v1/kv?key=a", "/v1/kv?prefix=a"]) {
        const response = await request(path);
        assertEquals(
          await problemOf(response),
          reason === "overloaded" ? "503 overloaded" : "503 unavailable",
        );
      }
    }
  });

  test("a stale read says how old it may be, any other says nothing of it", async () => {
    const { request, replica } = testApp();
    await request("/v1/kv/a", { method: "PUT", body: "x" });
    const age = async (target: string, init: RequestInit = {}) =>
      (await request(target, init)).headers.get("coracle-staleness");
    for (const [stalenessMs, said] of [[0, "0.000"], [1_234.2, "1.235"], [null, "unknown"]] as const) {
      replica.nextPermit = { ok: true, index: 2, term: TERM, stalenessMs };
      for (const target of ["/v1/kv/a", "/v1/kv/none", "/v1/kv", "/v1/kv?key=a"]) {
        const stale = `${target}${target.includes("?") ? "&" : "?"}consistency=stale`;
        assertEquals(await age(stale), said, stale);
        assertEquals(await age(stale, { method: "HEAD" }), said, stale);
        assertEquals(await age(target), null);
      }
    }
  });

  test("consistency, max_staleness and timeout reach the replica", async () => {
    const { request, replica } = testApp();
    const asked = async (query: string) => {
      await request(`/v1/kv/a?${query}`);
      return [replica.consistencies.at(-1), replica.timeouts.at(-1)];
    };
    assertEquals(await asked(""), [{ type: "linearizable" }, 4000]);
    assertEquals(await asked("consistency=linearizable&timeout=10s"), [{ type: "linearizable" }, 10_000]);
    assertEquals(await asked("consistency=lease&timeout=1m"), [{ type: "lease" }, 60_000]);
    assertEquals(await asked("consistency=stale&timeout=500ms"), [
      { type: "stale", maxStalenessMs: null },
      500,
    ]);
    assertEquals(await asked("consistency=stale&max_staleness=2s"), [
      { type: "stale", maxStalenessMs: 2000 },
      4000,
    ]);
  });
});

describe("DELETE", () => {
  test("says how many, and obeys If-Match", async () => {
    const { request } = testApp();
    await request("/v1/kv/a", PUT("x"));
    const remove = (headers: Record<string, string> = {}) =>
      request("/v1/kv/a", { method: "DELETE", headers });
    assertEquals(await problemOf(await remove({ "If-Match": '"9"' })), "412 precondition_failed");
    assertEquals(await problemOf(await remove({ "If-None-Match": "*" })), "400 invalid_request");
    assertEquals(await (await remove({ "If-Match": '"2"' })).json(), { deleted: 1, revision: 4 });
    assertEquals(await (await remove()).json(), { deleted: 0, revision: 5 });
    assertEquals(await problemOf(await request("/v1/kv/a")), "404 not_found");
  });
});

describe("keys", () => {
  test("path and ?key= name the same keys", async () => {
    const { request } = testApp();
    const table: [path: string, key: string][] = [
      ["/v1/kv/a/b//c/", "a/b//c/"],
      ["/v1/kv/a%2Fb", "a/b"],
      ["/v1/kv/%C3%A9%E6%B0%B4%F0%9F%9A%A3", "é水🚣"],
      ["/v1/kv/a+b%20c", "a+b c"],
      ["/v1/kv/%00%25%3F%23", "\0%?#"],
      ["/v1/kv//x", "/x"],
      ["/v1/kv?key=a%2F..%2Fb%5Cc", "a/../b\\c"],
      ["/v1/kv?key=.", "."],
      ["/v1/kv?key=a+b", "a b"],
      [`/v1/kv/${"k".repeat(2048)}`, "k".repeat(2048)],
      [`/v1/kv/${"%C3%A9".repeat(1024)}`, "é".repeat(1024)],
    ];
    for (const [path, key] of table) {
      assertEquals((await (await request(path, PUT(key))).json()).key, key, path);
      assertEquals(await (await request(`/v1/kv?key=${encodeURIComponent(key)}`)).text(), key, path);
    }
  });

  test("what is no key", async () => {
    const { request, replica } = testApp();
    const table = [
      "/v1/kv/",
      "/v1/kv?key=",
      "/v1/kv/a%",
      "/v1/kv/a%2",
      "/v1/kv/a%zz",
      "/v1/kv/%ff",
      "/v1/kv/%C3",
      "/v1/kv/%ED%A0%80",
      "/v1/kv/%C0%AF",
      "/v1/kv?key=%",
      "/v1/kv?key=%ff",
      "/v1/kv?key=a&key=b",
      "/v1/kv/a?key=b",
      `/v1/kv/${"k".repeat(2049)}`,
      `/v1/kv/${"%C3%A9".repeat(1024)}x`,
    ];
    for (const path of table) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        assertEquals(await problemOf(await request(path, { method })), "400 invalid_request", path);
      }
    }
    assertEquals(await problemOf(await request("/v1/kv", { method: "PUT" })), "400 invalid_request");
    assertEquals(await problemOf(await request("/v1/kv", { method: "DELETE" })), "400 invalid_request");
    assertEquals(replica.index, 1);
  });

  test("bad parameters and headers", async () => {
    const { request, replica } = testApp();
    const table = [
      "timeout=61s",
      "timeout=0s",
      "timeout=5",
      "timeout=-1s",
      "timeout=1d",
      "timeout=",
      "consistency=strong",
      "consistency=",
      "max_staleness=2s",
      "consistency=stale&max_staleness=2",
      "consistency=stale&consistency=stale",
      "x=%zz",
    ];
    for (const query of table) {
      assertEquals(await problemOf(await request(`/v1/kv/a?${query}`)), "400 invalid_request", query);
    }
    const long = PUT("x", { "Content-Type": `text/${"x".repeat(300)}` });
    assertEquals(await problemOf(await request("/v1/kv/a", long)), "400 invalid_request");
    assertEquals(replica.index, 1);
  });

  test("what is not built yet is 501 and does nothing", async () => {
    const { request, replica } = testApp();
    assertEquals(await problemOf(await request("/v1/kv/a?ttl=30s", PUT("x"))), "501 not_implemented");
    assertEquals(await problemOf(await request("/v1/kv/a?lease=7", PUT("x"))), "501 not_implemented");
    const repeated = PUT("x", { "Idempotency-Key": "k" });
    assertEquals(await problemOf(await request("/v1/kv/a", repeated)), "501 not_implemented");
    assertEquals(await problemOf(await request("/v1/kv/a?wait=30s&after=1")), "501 not_implemented");
    assertEquals(replica.index, 1);
  });
});
