// The Hono app: everything of api.md, one resource per file under routes/.
import { Hono } from "hono";
import { type Endpoint, endpoint } from "./exchange.ts";
import type { AppOptions, RequestBindings } from "./options.ts";
import { problem, problemResponse } from "./problem.ts";
import { clusterEndpoint, leaderEndpoint } from "./routes/cluster.ts";
import { frontEndpoint } from "./routes/front.ts";
import { livezEndpoint, readyzEndpoint } from "./routes/health.ts";
import { kvEndpoint } from "./routes/kv.ts";
import { configurationEndpoint, memberEndpoint, membersEndpoint } from "./routes/members.ts";
import { metricsEndpoint } from "./routes/metrics.ts";
import { notBuilt } from "./routes/not-built.ts";
import { createServices } from "./services.ts";
import { rawPath } from "./target.ts";

/** Tests call `app.request(path, init, bindings)`; `startServer` gives it a port. */
export function createApp(options: AppOptions): Hono<{ Bindings: RequestBindings }> {
  const services = createServices(options);
  // Routes are matched against the path as sent: Hono's own getPath would decode a part of it.
  const app = new Hono<{ Bindings: RequestBindings }>({ getPath: (request) => rawPath(request.url) });
  const offer = (path: string, described: Endpoint) => app.all(path, endpoint(services, described));

  offer("/v1/kv/*", kvEndpoint(services));
  offer("/v1/cluster", clusterEndpoint(services));
  offer("/v1/cluster/leader", leaderEndpoint(services));
  offer("/v1/cluster/members", membersEndpoint(services));
  offer("/v1/cluster/members/:id", memberEndpoint(services));
  offer("/v1/cluster/configuration", configurationEndpoint(services));
  offer("/livez", livezEndpoint());
  offer("/readyz", readyzEndpoint(services));
  offer("/metrics", metricsEndpoint(services));
  offer("/", frontEndpoint(services));
  for (const { paths, endpoint: described } of notBuilt) {
    // One handler for all its paths, so that they share their metrics.
    const handler = endpoint(services, described);
    for (const path of paths) app.all(path, handler);
  }

  app.notFound(() => problemResponse(problem("not_found", "There is no such route.")));
  app.onError((error) => {
    options.log("error", "an error in a route", { error: error.stack ?? String(error) });
    return problemResponse(problem("internal", "This node made an error; its log says more."));
  });
  return app;
}
