// The port for collectors: /metrics without a token, and nothing else.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { startMetricsServer } from "../../lib/http/mod.ts";
import { testApp } from "./support.ts";

describe("a port for metrics", () => {
  for (const tokens of [[], ["t0ken", "other"]]) {
    test(`${tokens.length} tokens: /metrics needs none here, everything else is not there`, async () => {
      const { app } = testApp({ tokens });
      const options = { host: "127.0.0.1", port: 0, app, tokens };
      const server = startMetricsServer(options);
      try {
        const get = (path: string, init?: RequestInit) =>
          fetch(`http://127.0.0.1:${server.port}${path}`, init);
        const metrics = await get("/metrics");
        assertEquals(metrics.status, 200);
        assertStringIncludes(await metrics.text(), "coracle_");
        for (const path of ["/", "/v1/kv/a", "/v1/cluster", "/metrics/", "/v1/kv/../metrics/x", "/readyz"]) {
          assertEquals((await get(path)).status, 404, path);
        }
        assertEquals((await get("/metrics", { method: "POST", body: "" })).status, 404);
        const taken = () => startMetricsServer({ ...options, port: server.port });
        assertThrows(taken, Error, "choose another with --metrics-port");
      } finally {
        await server.stop();
      }
    });
  }

  test("the ordinary port still asks for the token", async () => {
    const { request } = testApp({ tokens: ["t0ken"] });
    assert((await request("/metrics")).status === 401);
  });
});
