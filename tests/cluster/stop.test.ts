// SIGTERM and SIGINT: no more work is taken, leadership is handed over, what is in flight ends, and the exit code is 0.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { withCluster } from "../support/cluster.ts";

describe("an orderly stop", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(
      `${signal} to the leader under load: exit code 0 within 3 s, nothing acknowledged is lost`,
      async () => {
        await withCluster({ size: 3 }, async (cluster) => {
          const leader = await cluster.leader();
          const others = cluster.others(leader);
          const acknowledged: string[] = [];
          let stopped = false;
          const load = Array.from({ length: 8 }, async (_, at) => {
            for (let number = 0; !stopped; number++) {
              const node = cluster.nodes[(at + number) % 3];
              const key = `s/${at}/${number}`;
              const response = await node?.fetch(`/v1/kv/${key}`, { method: "PUT", body: key }).catch(() =>
                null
              );
              if (response?.ok) acknowledged.push(key);
              await response?.arrayBuffer().catch(() => null);
            }
          });
          while (acknowledged.length < 100) await Bun.sleep(2);
          const began = performance.now();
          assertEquals(await leader.signal(signal), 0);
          assert(
            performance.now() - began < 3_500,
            `it took ${Math.round(performance.now() - began)} ms to stop`,
          );
          const next = await cluster.leader();
          assert(others.includes(next));
          const before = acknowledged.length;
          while (acknowledged.length < before + 50) await Bun.sleep(2);
          stopped = true;
          await Promise.all(load);
          for (const key of acknowledged) {
            const response = await next.fetch(`/v1/kv/${key}`);
            assertEquals(await response.text(), key, `${key} was acknowledged`);
          }
          await leader.start();
          await cluster.ready();
        });
      },
      60_000,
    );
  }

  test("a rolling restart under load loses nothing", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      const tally = { acknowledged: 0, refused: 0, unknown: 0 };
      const keys: string[] = [];
      let stopped = false;
      const load = Array.from({ length: 8 }, async (_, at) => {
        for (let number = 0; !stopped; number++) {
          const running = cluster.nodes.filter((node) => node.running);
          const node = running[(at + number) % running.length];
          const key = `r/${at}/${number}`;
          const response = await node?.fetch(`/v1/kv/${key}`, { method: "PUT", body: key }).catch(() => null);
          if (response?.ok) keys.push(key);
          if (response?.ok) tally.acknowledged++;
          else if (response?.status === 503) tally.refused++;
          else tally.unknown++;
          await response?.arrayBuffer().catch(() => null);
        }
      });
      for (const node of cluster.nodes) {
        const before = keys.length;
        assertEquals(await node.stop(), 0);
        while (keys.length < before + 50) await Bun.sleep(2);
        await node.start();
        await cluster.ready();
      }
      stopped = true;
      await Promise.all(load);
      console.log(
        `rolling restart: ${tally.acknowledged} acknowledged, ${tally.refused} refused, ${tally.unknown} unknown`,
      );
      const sample = keys.filter((_, at) => at % Math.ceil(keys.length / 500) === 0);
      for (const node of cluster.nodes) {
        for (const key of sample) assertEquals(await (await node.fetch(`/v1/kv/${key}`)).text(), key);
      }
    });
  }, 90_000);
});
