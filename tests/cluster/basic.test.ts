// Three real replicas: any node answers, a killed leader loses nothing, everything comes back after a restart.
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { describe, test } from "bun:test";
import packageJson from "../../package.json";
import { type Cluster, withCluster } from "../support/cluster.ts";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import type { NodeProcess } from "../support/node-process.ts";

const timeoutMs = 60_000;

async function put(node: NodeProcess, key: string, value: string): Promise<void> {
  const response = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: value });
  const body = await response.text();
  assert(response.ok, `PUT ${key} at ${node.id}: ${response.status} ${body}`);
}

async function get(node: NodeProcess, key: string): Promise<string> {
  const response = await node.fetch(`/v1/kv/${key}`);
  const body = await response.text();
  assert(response.ok, `GET ${key} at ${node.id}: ${response.status} ${body}`);
  return body;
}

/** Puts through every running node, returns what must be there. */
async function putThroughAll(cluster: Cluster, name: string): Promise<Map<string, string>> {
  const written = new Map<string, string>();
  for (const node of cluster.nodes.filter(({ running }) => running)) {
    await put(node, `${name}/${node.id}`, `by ${node.id}`);
    written.set(`${name}/${node.id}`, `by ${node.id}`);
  }
  return written;
}

async function assertThere(cluster: Cluster, written: ReadonlyMap<string, string>): Promise<void> {
  for (const node of cluster.nodes.filter(({ running }) => running)) {
    for (const [key, value] of written) assertEquals(await get(node, key), value);
  }
}

/** The sum of the samples of one family of GET /metrics; NaN = there is none. */
async function metric(node: NodeProcess, family: RegExp): Promise<number> {
  const lines = (await (await node.fetch("/metrics")).text()).split("\n").filter((line) => family.test(line));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), lines.length === 0 ? NaN : 0);
}

describe("three replicas", () => {
  test("any node takes writes and reads, the leader's death loses nothing, all restart", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      const before = await putThroughAll(cluster, "before");
      await assertThere(cluster, before);

      const first = await cluster.leader();
      for (
        const family of [
          /^coracle_peer_messages_total\{kind="sent"/,
          /^coracle_peer_messages_total\{kind="received"/,
          /^coracle_writes_total\{ending="done"/,
          /^coracle_applied_entries_total/,
          /^coracle_fsync_seconds_count/,
          /^process_cpu_seconds_total/,
        ]
      ) assert(await metric(first, family) > 0, `${family} counts nothing`);
      await first.kill();
      const second = await cluster.leader();
      assertNotEquals(second.id, first.id);
      const during = await putThroughAll(cluster, "during");
      await assertThere(cluster, new Map([...before, ...during]));

      await first.start();
      await first.ready();
      await assertThere(cluster, new Map([...before, ...during]));

      await cluster.killAll();
      await Promise.all(cluster.nodes.map((node) => node.start()));
      await cluster.ready();
      await assertThere(cluster, new Map([...before, ...during]));
      await put(first, "after", "all");
    });
  }, timeoutMs);

  test("without a majority nothing is promised, and nothing hangs", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      await put(cluster.node("n1"), "a", "1");
      const alone = await cluster.leader();
      // Two at once: one after the other would first elect another leader.
      await Promise.all(cluster.others(alone).map((node) => node.kill()));
      await eventually(async () => {
        const read = await alone.fetch("/v1/kv/a?timeout=500ms");
        await read.body?.cancel();
        return read.status === 503;
      }, { what: "the lonely leader refuses linearizable reads" });
      const write = await alone.fetch("/v1/kv/b?timeout=500ms", { method: "PUT", body: "2" });
      await write.body?.cancel();
      assert(write.status === 503 || write.status === 504, `a write alone got ${write.status}`);
      const stale = await alone.fetch("/v1/kv/a?consistency=stale");
      assertEquals([stale.status, await stale.text()], [200, "1"]);
      assertEquals((await alone.fetch("/livez")).status, 200);
      assertEquals((await alone.fetch("/readyz")).status, 503);
    });
  }, timeoutMs);

  test("SIGTERM: each hands over and ends with 0 within 3 s, the others go on", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      for (let round = 0; round < 3; round++) {
        const leader = await cluster.leader();
        const began = performance.now();
        assertEquals(await leader.stop(), 0);
        assert(
          performance.now() - began < 3_000 + 1_000,
          "stopping takes up to 3 s (and a slow machine's grace)",
        );
        const written = await putThroughAll(cluster, `round-${round}`);
        await leader.start();
        await leader.ready();
        await assertThere(cluster, written);
      }
    });
  }, timeoutMs);

  test("status names the unreachable", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      // The next leader has never had an answer from the last one, and knows all the same since when it is silent.
      const gone = await cluster.leader();
      const before = new Date(Date.now() - 1000).toISOString().slice(11, 19);
      await gone.kill();
      const line = await eventually(async () => {
        const { stdout } = await runCoracle(["status", "--url", cluster.urls]);
        if (!/leader n\d/.test(stdout) || stdout.includes(`leader ${gone.id}`)) return null;
        return stdout.split("\n").find((one) => one.startsWith(gone.id) && one.includes("UNREACHABLE"));
      }, { what: `status calls ${gone.id} unreachable`, everyMs: 300 });
      const [, since = "", version] = /UNREACHABLE for \d+ s \(since ([\d:]{8}) UTC\) +(\S+)$/.exec(line) ??
        [];
      assertEquals([since >= before || since < "00:01", version], [true, packageJson.version], line);
    });
  }, timeoutMs);
});

describe("a cluster of one", () => {
  test("keeps what it acknowledged through kill -9", async () => {
    await withCluster({ size: 1 }, async (cluster) => {
      const node = cluster.node("n1");
      await put(node, "a", "1");
      await node.kill();
      await node.start();
      await node.ready();
      assertEquals(await get(node, "a"), "1");
    });
  }, timeoutMs);
});
