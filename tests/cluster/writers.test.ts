// Writers through all nodes while leaders are killed again and again: afterwards every acknowledged write is there and
// every refused one is not; one of unknown outcome may be either.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { type Cluster, withCluster } from "../support/cluster.ts";
import type { NodeProcess } from "../support/node-process.ts";

type Ending = "acknowledged" | "refused" | "unknown";
const kills = 4;

async function put(node: NodeProcess, key: string, value: string): Promise<Ending> {
  try {
    const response = await node.fetch(`/v1/kv/${key}?timeout=3s`, { method: "PUT", body: value });
    await response.arrayBuffer();
    if (response.ok) return "acknowledged";
    assert([503, 504].includes(response.status), `PUT ${key} answers ${response.status}`);
    return response.status === 503 ? "refused" : "unknown";
  } catch (error) {
    // A refused connection never carried it; a broken one may have.
    const code = error instanceof Error ? Reflect.get(error, "code") : undefined;
    return code === "ConnectionRefused" ? "refused" : "unknown";
  }
}

class Writer {
  readonly endings = new Map<string, Ending>();
  stopped = false;

  async run(cluster: Cluster, name: string): Promise<void> {
    for (let number = 0; !this.stopped; number++) {
      const node = cluster.nodes[number % cluster.nodes.length];
      if (node === undefined) return;
      const key = `w/${name}/${number}`;
      const ending = await put(node, key, `${name}-${number}`);
      this.endings.set(key, ending);
      // Nobody hammers a node that is down.
      if (ending !== "acknowledged") await Bun.sleep(5);
    }
  }
}

test("every acknowledged write survives leaders killed again and again, no refused one appears", async () => {
  await withCluster({ size: 3 }, async (cluster) => {
    const writers = Array.from({ length: 8 }, () => new Writer());
    const writing = writers.map((writer, at) => writer.run(cluster, `c${at}`));
    for (let kill = 0; kill < kills; kill++) {
      const before = writers.reduce((sum, { endings }) => sum + endings.size, 0);
      const leader = await cluster.leader();
      await leader.kill();
      // The others take writes again, and the fallen one comes back into a cluster at work.
      await cluster.leader();
      while (writers.reduce((sum, { endings }) => sum + endings.size, 0) < before + 200) await Bun.sleep(5);
      await leader.start();
      await cluster.ready();
    }
    for (const writer of writers) writer.stopped = true;
    await Promise.all(writing);

    const endings = new Map(writers.flatMap((writer) => [...writer.endings]));
    const count = (wanted: Ending) => [...endings.values()].filter((ending) => ending === wanted).length;
    console.log(
      `${kills} kills: ${count("acknowledged")} acknowledged, ${count("refused")} refused, ${
        count("unknown")
      } unknown`,
    );
    for (const node of cluster.nodes) await assertEndings(node, endings);
  });
}, 120_000);

async function assertEndings(node: NodeProcess, endings: ReadonlyMap<string, Ending>): Promise<void> {
  const held = new Map<string, string>();
  let cursor: string | undefined;
  do {
    const from = cursor === undefined ? "" : `&cursor=${cursor}`;
    const response = await node.fetch(`/v1/kv?prefix=w/&limit=1000${from}`);
    assertEquals(response.status, 200);
    const page = await response.json() as { items: { key: string; value: string }[]; cursor?: string };
    for (const { key, value } of page.items) held.set(key, value);
    cursor = page.cursor;
  } while (cursor !== undefined);
  for (const [key, ending] of endings) {
    const [, name, number] = key.split("/");
    if (ending === "acknowledged") assertEquals(held.get(key), `${name}-${number}`, `${node.id} lost ${key}`);
    if (ending === "refused") assert(!held.has(key), `${node.id} holds ${key}, which was refused`);
  }
  for (const key of held.keys()) assert(endings.has(key), `${node.id} holds ${key}, which nobody wrote`);
}
