// GET /metrics for Prometheus.
import type { Endpoint } from "../exchange.ts";
import type { Services } from "../services.ts";

export function metricsEndpoint(services: Services): Endpoint {
  const { metrics, replica, node, traffic, runtime, admission } = services;
  return {
    route: "/metrics",
    methods: {
      async GET() {
        const text = await metrics.render({
          status: replica.status(),
          version: node.version,
          traffic: traffic?.() ?? null,
          usage: runtime.usage(),
          openRequests: admission.requests,
          bodyBytes: admission.bytes,
        });
        return new Response(text, { headers: { "Content-Type": metrics.contentType } });
      },
    },
  };
}
