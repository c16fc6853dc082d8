// The largest values that `--max-value-bytes` allows at an election timeout: the leader stays the leader.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { withCluster } from "../support/cluster.ts";

test("values of 16 MiB depose no leader where the election timeout is as long as it must be", async () => {
  const flags = ["--max-value-bytes", String(16 * 1_048_576), "--election-ms", "4000"];
  await withCluster({ size: 3, flags }, async (cluster) => {
    const leader = await cluster.leader(30_000);
    const { term } = await cluster.view(leader);
    const value = Buffer.alloc(16 * 1_048_576, "ahoy");
    for (let number = 0; number < 4; number++) {
      // Through every node: a forwarded one travels once more.
      const node = cluster.nodes[number % 3];
      const put = await node?.fetch(`/v1/kv/large/${number}?timeout=12s`, { method: "PUT", body: value });
      assertEquals(put?.status, 201, await put?.text());
    }
    for (const node of cluster.nodes) {
      const got = await node.fetch("/v1/kv/large/3?timeout=12s");
      assert(Buffer.from(await got.arrayBuffer()).equals(value), node.id);
      assertEquals((await cluster.view(node)).term, term);
    }
  });
}, 90_000);
