// The client against the real HTTP edge, with a state machine of one node behind it: both read the contract alike.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { afterAll, beforeAll, describe, test } from "bun:test";
import { Client, ProblemError } from "../../lib/client/mod.ts";
import { bunRuntime, createApp, createMetrics, type RunningServer, startServer } from "../../lib/http/mod.ts";
import { type KvAnswer, type KvQuery, kvStateMachine } from "../../lib/kv/mod.ts";
import { memoryOrderedStore } from "../../lib/memory/mod.ts";
import type { ReplicaApi, ReplicaStatus } from "../../lib/replica/api.ts";

const self = "n1~aaaaaaaaaaaa";

/** Applies at once what is proposed: no consensus, one node. */
function loneReplica(): ReplicaApi<KvQuery, KvAnswer> {
  const machine = kvStateMachine(memoryOrderedStore());
  let index = 1;
  const status = (): ReplicaStatus => ({
    phase: "running",
    waitingFor: null,
    clusterId: "c1",
    replica: self,
    bootCount: 1,
    role: "leader",
    term: 1,
    leaderId: self,
    commitIndex: index,
    appliedIndex: index,
    appliedTerm: 1,
    logTime: 0,
    durableIndex: index,
    lastIndex: index,
    configuration: { index: 1, configuration: { voters: [self], outgoing: [], learners: [] } },
    peers: [],
    connected: [],
    stalenessMs: 0,
    queuedProposals: 0,
    queuedBytes: 0,
    pendingReads: 0,
    ready: true,
    diskFull: false,
  });
  return {
    propose(command) {
      index++;
      const result = machine.apply({ index, term: 1, time: 0, command });
      return Promise.resolve({ type: "done", index, term: 1, result });
    },
    read: () => Promise.resolve({ ok: true, index, term: 1, stalenessMs: 0 }),
    query: (query) => machine.query(query),
    subscribe: () => () => {},
    administer: () => Promise.resolve({ ok: false, reason: "unavailable", detail: "alone" }),
    directory: () => [],
    transferLeadership: () => ({ ok: false, reason: "invalid" }),
    status,
    stop: () => Promise.resolve(),
  };
}

let server: RunningServer;
let client: Client;

beforeAll(() => {
  const log = () => {};
  const app = createApp({
    replica: loneReplica(),
    node: { id: "n1", version: "0.0.0", advertise: "http://127.0.0.1:1", region: null },
    clock: { monotonic: () => performance.now(), wall: () => Date.now() },
    tokens: ["secret"],
    open: false,
    maxValueBytes: 1024 * 1024,
    leaderRouting: "forward",
    log,
    metrics: createMetrics(),
    runtime: bunRuntime,
  });
  server = startServer({ host: "127.0.0.1", port: 0, app, links: null, maxValueBytes: 1024 * 1024, log });
  client = new Client({ urls: [`http://127.0.0.1:${server.port}`], token: "secret" });
});

afterAll(() => server.stop(0));

describe("through HTTP", () => {
  const keys = [
    "plain",
    "a/b/c",
    "a b",
    "50%",
    "a?b#c",
    "ö/\u{1F600}",
    "..",
    "a/../b",
    "/a",
    "a//b",
    "a\\b",
    "\0",
    "%2e",
  ];
  for (const key of keys) {
    test(`the key ${JSON.stringify(key)} comes back as it was put, and goes`, async () => {
      const value = new Uint8Array([0, 255, 1]);
      const made = await client.put(key, value, { contentType: "image/x", ifNoneMatch: "*" });
      assertEquals([made.key, made.created, made.version], [key, true, 1]);
      const { revision, createRevision } = made;
      const item = { key, value, contentType: "image/x", revision, createRevision, version: 1 };
      assertEquals(await client.get(key), item);
      assertEquals((await client.list({ start: key, limit: 1 })).items, [item]);
      assertEquals((await client.delete(key, { ifMatch: revision })).deleted, 1);
      assertEquals(await client.get(key), null);
    });
  }

  test("conditions that do not hold are 412", async () => {
    const { revision } = await client.put("cond", "1");
    const refused = [
      () => client.put("cond", "2", { ifNoneMatch: "*" }),
      () => client.put("cond", "2", { ifMatch: revision + 1 }),
      () => client.delete("cond", { ifMatch: revision + 1 }),
      () => client.put("nobody", "2", { ifMatch: "*" }),
    ];
    for (const attempt of refused) {
      const error = await assertRejects(attempt, ProblemError);
      assertEquals([error.status, error.code], [412, "precondition_failed"]);
    }
    assertEquals((await client.put("cond", "2", { ifMatch: revision })).created, false);
  });

  test("a listing over several pages, in both directions", async () => {
    const names = Array.from({ length: 25 }, (_, n) => `page/${String(n).padStart(2, "0")}`);
    for (const name of names) await client.put(name, name);
    for (const reverse of [false, true]) {
      const seen: string[] = [];
      for await (const item of client.listAll({ prefix: "page/", limit: 10, reverse })) {
        assertEquals(new TextDecoder().decode(item.value ?? new Uint8Array()), item.key);
        seen.push(item.key);
      }
      assertEquals(seen, reverse ? names.toReversed() : names);
    }
    const { items } = await client.list({ prefix: "page/", keysOnly: true });
    assert(items.every((item) => item.value === null));
    assertEquals((await client.deletePrefix("page/")).deleted, 25);
  });

  test("more than 10,000 keys under a prefix go in steps", async () => {
    for (let n = 0; n < 10_050; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => client.put(`many/${n + k}`, "")));
    }
    await client.put("many/one-more", "");
    assertEquals((await client.deletePrefix("many/")).deleted, 10_051);
    assertEquals((await client.list({ prefix: "many/" })).items, []);
  }, 60_000);

  test("the cluster", async () => {
    const cluster = await client.cluster();
    assertEquals([cluster.leader, cluster.members[0]?.id, cluster.configuration?.voters], ["n1", "n1", [
      "n1",
    ]]);
  });

  test("a wrong token and a malformed key are problems with their codes", async () => {
    const stranger = new Client({ urls: [`http://127.0.0.1:${server.port}`], token: "guess" });
    assertEquals((await assertRejects(() => stranger.get("k"), ProblemError)).code, "unauthorized");
    assertEquals((await assertRejects(() => client.put("", "v"), ProblemError)).code, "invalid_request");
    assertEquals(
      (await assertRejects(() => client.put("x".repeat(2049), "v"), ProblemError)).code,
      "invalid_request",
    );
  });
});
