// SIGTERM and SIGINT: no more work is taken, leadership is handed over, what is in flight ends, and the exit code is 0.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { withCluster } from "../support/cluster.ts";
import type { NodeProcess } from "../support/node-process.ts";

/** How a write ended for who sent it. */
type Ending = "acknowledged" | "refused" | "not there" | "unknown";

/** Fails on any answer that a write does not have during a restart. */
async function put(node: NodeProcess, key: string): Promise<Ending> {
  let response;
  try {
    response = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: key });
  } catch (error) {
    // Nothing was sent. A connection that breaks later leaves it open.
    return Reflect.get(error as Error, "code") === "ECONNREFUSED" ? "not there" : "unknown";
  }
  const text = await response.text().catch(() => "broken off");
  if (response.ok) return "acknowledged";
  assert([503, 504].includes(response.status), `${key}: ${response.status} ${text}`);
  return response.status === 503 ? "refused" : "unknown";
}

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
              if (node !== undefined && await put(node, key) === "acknowledged") acknowledged.push(key);
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

  test("a rolling restart under load loses nothing and refuses little", async () => {
    await withCluster({ size: 3 }, async (cluster) => {
      const tally: Record<Ending, number> = { acknowledged: 0, refused: 0, "not there": 0, unknown: 0 };
      const keys: string[] = [];
      let stopped = false;
      const load = Array.from({ length: 8 }, async (_, at) => {
        for (let number = 0; !stopped; number++) {
          const running = cluster.nodes.filter((node) => node.running);
          const node = running[(at + number) % running.length];
          assert(node !== undefined);
          const key = `r/${at}/${number}`;
          const ending = await put(node, key);
          if (ending === "acknowledged") keys.push(key);
          tally[ending]++;
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
      const counted = `rolling restart: ${JSON.stringify(tally)}`;
      console.log(counted);
      // Measured: 4 to 13 refused, 10 to 24 unknown. Each of 8 clients can be cut off once by each of 3 stops, when its
      // connection is made just as the door closes; twice that is never reached, and neither is a tenth refused.
      assert(tally.unknown <= 48, counted);
      assert(tally.refused <= 20 + tally.acknowledged / 10, counted);
      const sample = keys.filter((_, at) => at % Math.ceil(keys.length / 500) === 0);
      for (const node of cluster.nodes) {
        for (const key of sample) assertEquals(await (await node.fetch(`/v1/kv/${key}`)).text(), key);
      }
    });
  }, 90_000);
});
