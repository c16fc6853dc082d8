// The main job on real input: a tree of thousands of files goes in while the leader is killed, a follower is killed, all
// are killed; and every byte comes back from each node.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { keyTarget } from "../../lib/client/mod.ts";
import { withCluster } from "../support/cluster.ts";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import type { NodeProcess } from "../support/node-process.ts";

const tree = join(import.meta.dirname, "../../node_modules/hono");

/** What import gives by a name's ending (docs/operations.md). */
const contentTypes: Readonly<Record<string, string>> = {
  ".js": "text/javascript;charset=utf-8",
  ".ts": "text/javascript;charset=utf-8",
  ".json": "application/json;charset=utf-8",
  ".md": "text/markdown",
  "": "application/octet-stream",
};

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

/** How many files of the tree a node holds as far as it knows itself. */
async function countAt(node: NodeProcess): Promise<number> {
  const response = await node.fetch("/v1/kv?prefix=hono/&keys_only=true&limit=1000&consistency=stale");
  if (!response.ok) throw new Error(`${node.id} answers ${response.status}`);
  const { items } = await response.json() as { items: unknown[] };
  return items.length;
}

async function assertSameFiles(node: NodeProcess, paths: readonly string[]): Promise<void> {
  const queue = [...paths];
  const worker = async () => {
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      const response = await node.fetch(keyTarget(`hono/${path}`));
      assertEquals(response.status, 200, `${node.id}: ${path}`);
      const held = Buffer.from(await response.arrayBuffer());
      assert(held.equals(readFileSync(join(tree, path))), `${node.id} holds other bytes for ${path}`);
      const type = response.headers.get("content-type");
      assertEquals(type, contentTypes[extname(path)], `${node.id}: the type of ${path}`);
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}

test("a tree of files survives kill -9 of the leader, of a follower and of all", async () => {
  await withCluster({ size: 3 }, async (cluster) => {
    const paths = filesOf(tree);
    assert(paths.length > 500, "the hono package is installed");
    const kinds = new Set(paths.map((path) => extname(path)));
    assertEquals([...kinds].sort(), Object.keys(contentTypes).sort(), "every kind of file is judged");
    // Few at once, so that it is far from done when the leader goes.
    const flags = ["--prefix", "hono/", "--parallel", "4", "--url", cluster.urls, "--json"];
    const importing = runCoracle(["import", tree, ...flags], { deadlineMs: 90_000 });
    const leader = await cluster.leader();
    await eventually(async () => await countAt(leader) > 50, { what: "the import is under way", everyMs: 5 });
    await leader.kill();
    for (const survivor of cluster.others(leader)) {
      const count = await countAt(survivor);
      assert(count > 0 && count < paths.length, `${count} of ${paths.length} were there at the kill`);
    }
    const { code, stdout, stderr } = await importing;
    assertEquals(code, 0, stderr);
    assertEquals((JSON.parse(stdout) as { imported: number }).imported, paths.length);

    await leader.start();
    await cluster.ready();
    const [follower] = cluster.others(await cluster.leader());
    assert(follower !== undefined);
    await follower.kill();
    await follower.start();
    await cluster.ready();

    await cluster.killAll();
    await Promise.all(cluster.nodes.map((node) => node.start()));
    await cluster.ready(30_000);
    for (const node of cluster.nodes) await assertSameFiles(node, paths);
  });
}, 180_000);
