// GET /: a page for whoever opens the node in a browser. It says what this is and where to look; no dashboard yet.
import { html } from "hono/html";
import type { Endpoint } from "../exchange.ts";
import { leaderOf, type Services } from "../services.ts";

export function frontEndpoint(services: Services): Endpoint {
  return {
    route: "/",
    methods: {
      GET: () =>
        new Response(String(page(services)), {
          headers: {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
          },
        }),
    },
  };
}

/** The template escapes what is put into it. */
function page({ node, replica }: Services): ReturnType<typeof html> {
  const status = replica.status();
  const state = `${status.role} in term ${status.term}, leader: ${leaderOf(status) ?? "none known"}`;
  return html`
    <!doctype html>
    <html lang="en">
      <title>Coracle ${node.id}</title>
      <style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
      <h1>Coracle, node ${node.id}</h1>
      <p>${state}. Version ${node.version}.</p>
      <ul>
        <li><a href="/v1/kv?keys_only=true">/v1/kv</a>: the keys</li>
        <li><a href="/v1/cluster">/v1/cluster</a>: the members</li>
        <li><a href="/readyz">/readyz</a>, <a href="/livez">/livez</a>, <a href="/metrics">/metrics</a></li>
      </ul>
    </html>
  `;
}
