// The one place where HTTP meets Bun: the listening port for clients and replicas.
import { timingSafeEqual } from "node:crypto";
import type { Server, WebSocketHandler } from "bun";
import { isLoopbackAddress } from "../notation/mod.ts";
import type { Log } from "../replica/ports.ts";
import { metricsOnly } from "./metrics-port.ts";
import type { RequestBindings, Runtime } from "./options.ts";
import { problem, problemResponse } from "./problem.ts";
import { rawPath } from "./target.ts";

/** The links between replicas as the server sees them (lib/peers). */
export type PeerUpgrade<Data> = {
  /** Upgrades the request of a replica at /v1/peer. A Response is a refusal; undefined or true = upgraded; false = it was no WebSocket request. */
  readonly upgrade: (request: Request, server: Server<Data>) => Response | boolean | undefined;
  readonly websocket: WebSocketHandler<Data>;
};

export type ServerOptions<Data> = {
  /** An address to listen on; `::` is both IPv6 and IPv4. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  /** What answers everything but the links: createApp, or an app of one's own. */
  readonly app: { fetch(request: Request, bindings: RequestBindings): Response | Promise<Response> };
  /** null = no other replicas. */
  readonly links: PeerUpgrade<Data> | null;
  readonly maxValueBytes: number;
  readonly log: Log;
};

export type RunningServer = {
  readonly host: string;
  readonly port: number;
  /** Refuses new requests (503), lets open ones end for up to `graceMs`, then closes everything, links of replicas included. */
  stop(graceMs: number): Promise<void>;
};

/** The address is taken, or not ours. Its message is for people: one line that says what and how to mend it. */
export class ListenError extends Error {
  override name = "ListenError";
}

export const PEER_PATH = "/v1/peer";

/** Longer than the longest deadline (60 s): what is slow by its own wish is not idle. */
const IDLE_TIMEOUT_SECONDS = 90;
/** Up to so much above the largest value our own 413 is answered; beyond it Bun's bare one, and the connection is closed. */
const BODY_MARGIN_BYTES = 64 * 1024 * 1024;
const DRAIN_POLL_MS = 10;

/** What `createApp` needs of Bun. */
export const bunRuntime: Runtime = {
  sha256: (text) => new Bun.CryptoHasher("sha256").update(text).digest(),
  timingSafeEqual,
  usage() {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return {
      residentBytes: rss,
      heapBytes: heapUsed,
      cpuSeconds: (user + system) / 1e6,
      startedAtSeconds: Date.now() / 1000 - process.uptime(),
    };
  },
};

/** Listens; throws a ListenError when it cannot. */
export function startServer<Data>(options: ServerOptions<Data>): RunningServer {
  const { host, app, links, log } = options;
  let stopping = false;

  function answer(request: Request, server: Server<Data>): Response | Promise<Response> | undefined {
    // Without a usable Host header Bun knows no absolute URL.
    if (!request.url.startsWith("http")) return withoutHost(request);
    if (rawPath(request.url) === PEER_PATH) return upgrade(request, server);
    if (stopping) return problemResponse(STOPPING, { Connection: "close" });
    return app.fetch(request, bindings);
  }

  /** HTTP/1.0 has no Host, and load balancers ask for health in it. */
  function withoutHost({ method, url }: Request): Response | Promise<Response> {
    if (!/^\/(livez|readyz)(\?|$)/.test(url)) return problemResponse(NO_HOST);
    if (stopping) return problemResponse(STOPPING, { Connection: "close" });
    return app.fetch(new Request(`http://localhost${url}`, { method }), bindings);
  }

  function upgrade(request: Request, server: Server<Data>): Response | undefined {
    const upgraded = links?.upgrade(request, server) ?? links !== null;
    if (upgraded === false) return problemResponse(NO_WEBSOCKET);
    return upgraded === true ? undefined : upgraded;
  }

  const server = listen<Data>(options, answer, (error) => {
    log("error", "an error while answering a request", { error: error.stack ?? String(error) });
    return problemResponse(problem("internal", "This node made an error; its log says more."));
  });
  const bindings: RequestBindings = {
    // Nobody else reaches a port on loopback, and asking costs a good part of a GET.
    remoteAddress: isLoopbackAddress(host)
      ? () => host
      : (request) => server.requestIP(request)?.address ?? null,
  };

  return {
    host,
    port: server.port ?? options.port,
    async stop(graceMs) {
      stopping = true;
      const deadline = performance.now() + graceMs;
      while (server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(DRAIN_POLL_MS);
      if (server.pendingRequests > 0) {
        log("warning", "requests were still open at the end", { requests: server.pendingRequests });
      }
      await server.stop(true);
    },
  };
}

const NO_HOST = problem("invalid_request", "The request has no usable Host header.");
const NO_WEBSOCKET = problem("invalid_request", "This path is for links between replicas (WebSocket).");
const STOPPING = problem("unavailable", "This node is stopping; nothing was done.");

function listen<Data>(
  { host, port, links, maxValueBytes }: ServerOptions<Data>,
  answer: (request: Request, server: Server<Data>) => Response | Promise<Response> | undefined,
  onError: (error: Error) => Response,
): Server<Data> {
  return listening(host, port, "--port", "--host", () =>
    Bun.serve<Data>({
      hostname: host,
      port,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      maxRequestBodySize: maxValueBytes + BODY_MARGIN_BYTES,
      fetch: answer,
      error: onError,
      websocket: links?.websocket ?? { message: (socket) => socket.close() },
    }));
}

export type MetricsServer = { readonly port: number; stop(): Promise<void> };

/** Listens with nothing but /metrics, without a token; port 0 picks a free one. Throws a ListenError when it cannot. */
export function startMetricsServer(
  { host, port, app, tokens }: Pick<ServerOptions<never>, "host" | "port" | "app"> & {
    readonly tokens: readonly string[];
  },
): MetricsServer {
  const server = listening(
    host,
    port,
    "--metrics-port",
    "--metrics-host",
    () => Bun.serve({ hostname: host, port, maxRequestBodySize: 0, fetch: metricsOnly(app, tokens) }),
  );
  return { port: server.port ?? port, stop: () => server.stop(true) };
}

/** Starts a server, or throws a ListenError that names the flags which choose another port and address. */
function listening<Started>(
  host: string,
  port: number,
  portFlag: string,
  hostFlag: string,
  start: () => Started,
): Started {
  try {
    return start();
  } catch (error) {
    throw new ListenError(listenMessage(host, port, portFlag, hostFlag, error), { cause: error });
  }
}

function listenMessage(
  host: string,
  port: number,
  portFlag: string,
  hostFlag: string,
  error: unknown,
): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  switch (code) {
    case "EADDRINUSE":
      // Bun says the same of a name that leads nowhere.
      return `port ${port} on ${host} is taken: stop what listens there, or choose another with ${portFlag}` +
        (/[a-z]/i.test(host) && !host.includes(":") ? `; or ${host} is no name of this machine` : "");
    case "EACCES":
      return `port ${port} on ${host} needs more rights: choose one above 1023 with ${portFlag}`;
    case "EADDRNOTAVAIL":
      return `${host} is no address of this machine: choose another with ${hostFlag}`;
    default:
      return `cannot listen on ${host} port ${port}: ${
        error instanceof Error ? error.message : String(error)
      }`;
  }
}
