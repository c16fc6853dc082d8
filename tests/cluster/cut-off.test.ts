// A node that cannot reach the majority refuses in bounded time, never hangs, and serves stale reads that say so.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { withCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

for (const role of ["leader", "follower"] as const) {
  test(
    `a ${role} without its majority refuses linearizable reads and writes, and serves stale ones`,
    async () => {
      await withCluster({ size: 3 }, async (cluster) => {
        const leader = await cluster.leader();
        const alone = role === "leader" ? leader : cluster.others(leader)[0];
        assert(alone !== undefined);
        const put = await alone.fetch("/v1/kv/k", { method: "PUT", body: "before" });
        assertEquals(put.status, 201);
        for (const other of cluster.others(alone)) other.pause();
        try {
          const started = performance.now();
          const [read, write, stale] = await Promise.all([
            alone.fetch("/v1/kv/k?timeout=2s"),
            alone.fetch("/v1/kv/k?timeout=2s", { method: "PUT", body: "after" }),
            alone.fetch("/v1/kv/k?consistency=stale"),
          ]);
          assertEquals(read.status, 503);
          // It was taken by a leader that did not know yet that it is alone: that one is unknown.
          assert([503, 504].includes(write.status), `the write answers ${write.status}`);
          assertEquals(stale.status, 200);
          assertEquals(await stale.text(), "before");
          const age = Number(stale.headers.get("coracle-staleness") ?? NaN);
          assert(age >= 0 && age < 10, `a stale read says its age: ${age} s`);
          assert(performance.now() - started < 10_000, "an answer came after its deadline and much more");

          await eventually(async () => (await alone.fetch("/readyz")).status === 503, {
            what: "/readyz says no",
          });
          const later = await alone.fetch("/v1/kv/k?timeout=1s", { method: "PUT", body: "later" });
          assertEquals(later.status, 503);
          assert(later.headers.get("retry-after") !== null);
          const list = await alone.fetch("/v1/kv?prefix=k&consistency=stale");
          const older = Number(list.headers.get("coracle-staleness") ?? NaN);
          assert(
            older > Math.max(age, 0.4),
            `${older} s after ${age} s: it grows as long as nobody is there`,
          );
          const bounded = await alone.fetch("/v1/kv/k?consistency=stale&max_staleness=1ms");
          assertEquals(bounded.status, 503);
        } finally {
          for (const other of cluster.others(alone)) other.resume();
        }
        await cluster.ready();
        const after = await eventually(async () => {
          const response = await alone.fetch("/v1/kv/k");
          return response.ok ? await response.text() : null;
        }, { what: "the cluster answers again" });
        assert(after === "before" || after === "after", after);
      });
    },
    60_000,
  );
}
