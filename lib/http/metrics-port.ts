// What a second port offers: GET /metrics without a token, and nothing else; for collectors that can send none, on an
// address that only they reach. Everything else about a request is the app's affair.
import type { RequestBindings } from "./options.ts";
import { problem, problemResponse } from "./problem.ts";
import { rawPath } from "./target.ts";

/** `tokens` are those of the app; one of them is shown to it. */
export function metricsOnly(
  app: { fetch(request: Request, bindings: RequestBindings): Response | Promise<Response> },
  tokens: readonly string[],
): (request: Request) => Response | Promise<Response> {
  const [token] = tokens;
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  // Without tokens the app serves whoever is on this machine, as this server is.
  const bindings: RequestBindings = { remoteAddress: () => "127.0.0.1" };
  return ({ method, url }) =>
    rawPath(url) === "/metrics" && (method === "GET" || method === "HEAD")
      ? app.fetch(new Request("http://localhost/metrics", { method, headers }), bindings)
      : problemResponse(problem("not_found", "This port has GET /metrics and nothing else."));
}
