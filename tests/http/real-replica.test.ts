// The edge over a real replica of one, in memory: what a hand-written one cannot show.
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bunRuntime, createApp, createMetrics } from "../../lib/http/mod.ts";
import { kvStateMachine } from "../../lib/kv/mod.ts";
import type { KvAnswer, KvQuery } from "../../lib/kv/mod.ts";
import { MemoryDisk } from "../../lib/memory/mod.ts";
import { openAppliedState } from "../../lib/replica/applied-state.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { type Claim, claimIdentity } from "../../lib/replica/identity.ts";
import type { Links } from "../../lib/replica/ports.ts";
import { Replica } from "../../lib/replica/replica.ts";
import { clock, random, scheduler } from "../../lib/host/mod.ts";
import { eventually } from "../support/eventually.ts";
import { LOOPBACK, problemOf } from "./support.ts";

const running: Replica<KvQuery, KvAnswer>[] = [];

afterEach(async () => {
  for (const replica of running.splice(0)) await replica.stop(1_000);
});

const nobody: Links = {
  send: () => false,
  dial: () => {},
  connected: () => [],
  listen: () => {},
  close: () => {},
};

async function start(disk = new MemoryDisk()) {
  const fatal = (message: string): never => {
    throw new Error(message);
  };
  const log = openDurableLog({ table: disk.openLog(), witness: disk.openWitness(), fatal });
  const state = openAppliedState({ store: disk.openState(), fatal });
  assert(log.ok && state.ok);
  const claimed = await new Promise<Claim>((resolve) =>
    claimIdentity({ durableLog: log.log, id: "n1", random }, resolve)
  );
  assert(claimed.ok);
  const replica = new Replica<KvQuery, KvAnswer>({
    ...{ identity: claimed.identity, durableLog: log.log, state: state.state, links: nobody, fatal },
    ...{ clock, scheduler, random, space: disk.space, log: () => {} },
    ...{ machine: kvStateMachine, expected: ["n1"], heartbeatMs: 20, electionMs: 60 },
  });
  running.push(replica);
  const app = createApp({
    ...{ replica, clock, tokens: [], open: false, maxValueBytes: 1024, leaderRouting: "forward" },
    node: { id: "n1", version: "1", advertise: "http://one", region: null },
    ...{ log: () => {}, metrics: createMetrics(), runtime: bunRuntime },
  });
  const request = async (path: string, init: RequestInit = {}) => await app.request(path, init, LOOPBACK);
  replica.start();
  const ready = async () => (await request("/readyz")).status === 200;
  await eventually(ready, { deadlineMs: 5_000, what: "a cluster of one is ready" });
  return { replica, request, disk };
}

const put = (body: string) => ({ method: "PUT", body });

describe("over a real replica", () => {
  test("puts, reads, lists, deletes", async () => {
    const { request } = await start();
    assertEquals((await request("/v1/kv/a/1", put("one"))).status, 201);
    assertEquals((await request("/v1/kv/a/2", put("two"))).status, 201);
    for (const consistency of ["linearizable", "lease", "stale", "stale&max_staleness=10s"]) {
      assertEquals(await (await request(`/v1/kv/a/1?consistency=${consistency}`)).text(), "one", consistency);
    }
    const page = await (await request("/v1/kv?prefix=a/")).json();
    assertEquals(page.items.map((item: { value: string }) => item.value), ["one", "two"]);
    assertEquals((await (await request("/v1/kv?prefix=a/", { method: "DELETE" })).json()).deleted, 2);
    const cluster = await (await request("/v1/cluster")).json();
    assertEquals([cluster.leader, cluster.members[0].healthy, cluster.members[0].lag], ["n1", true, 0]);
  });

  test("a page names the very revision it shows, while writes go on", async () => {
    const { request } = await start();
    await request("/v1/kv/counter", put("0"));
    for (let round = 0; round < 50; round++) {
      const writes = Array.from({ length: 10 }, () => request("/v1/kv/counter", put("x")));
      const reads = Array.from({ length: 10 }, async () => {
        const { revision, items } = await (await request("/v1/kv?prefix=counter")).json();
        // Every entry writes this key, so that the state at a revision holds just this revision.
        assertEquals(items[0].revision, revision);
      });
      await Promise.all([...writes, ...reads]);
    }
  });

  test("a full disk refuses writes with 503 and goes on reading", async () => {
    const disk = new MemoryDisk();
    const { request } = await start(disk);
    await request("/v1/kv/a", put("x"));
    disk.freeBytes = 0;
    const refuses = async () => (await request("/v1/kv/a", put("y"))).status === 503;
    await eventually(refuses, { deadlineMs: 10_000, what: "writes are refused on a full disk" });
    const refused = await request("/v1/kv/a", put("y"));
    assert(/disk is full/.test((await refused.clone().json()).detail));
    assertEquals(await problemOf(refused), "503 unavailable");
    assertEquals((await request("/v1/kv/a")).status, 200);
  });

  test("a stopped replica refuses, it does not hang", async () => {
    const { request, replica } = await start();
    await replica.stop(1_000);
    assertEquals(await problemOf(await request("/v1/kv/a", put("x"))), "503 unavailable");
    assertEquals(await problemOf(await request("/v1/kv/a")), "503 unavailable");
    assertEquals(await problemOf(await request("/readyz")), "503 unavailable");
  });
});
