// /livez: the process is up. /readyz: it would serve a linearizable read now. Open to everybody, also under load.
import type { Endpoint } from "../exchange.ts";
import { problem } from "../problem.ts";
import type { Services } from "../services.ts";

export function livezEndpoint(): Endpoint {
  return { route: "/livez", methods: { GET: () => plain("ok\n") }, always: true };
}

export function readyzEndpoint({ replica }: Services): Endpoint {
  return {
    route: "/readyz",
    methods: {
      GET() {
        const { ready, phase, waitingFor } = replica.status();
        if (ready) return plain("ready\n");
        return problem("unavailable", waitingFor ?? NOT_READY[phase]);
      },
    },
    always: true,
  };
}

const NOT_READY = {
  forming: "The cluster is forming.",
  joining: "It asks to be let into a cluster, or is being brought up.",
  removed: "This node was removed from its cluster; start it with --rejoin to enter anew.",
  refused: "A member refused this node's data folder as a copy or as rolled back.",
  running: "No leader is known, or this node has not caught up yet.",
  stopping: "This node is stopping.",
  stopped: "This node has stopped.",
  failed: "This node has failed.",
} as const;

function plain(text: string): Response {
  return new Response(text, { headers: { "Content-Type": "text/plain; charset=utf-8" } });
}
