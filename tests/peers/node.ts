// A node of nothing but links: PeerLinks behind a Bun.serve of its own on 127.0.0.1, remembering all it was told.
import { PeerLinks, type PeerLinksOptions, type PeerSocketData } from "../../lib/peers/mod.ts";
import type { ReplicaId } from "../../lib/raft/mod.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import type { Clock, PeerIdentity, Scheduler } from "../../lib/replica/ports.ts";

export const clock: Clock = { monotonic: () => performance.now(), wall: () => Date.now() };

export const scheduler: Scheduler = {
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  defer: (task) => void setImmediate(task),
};

export type TestNode = {
  readonly links: PeerLinks;
  readonly url: string;
  readonly port: number;
  readonly replica: ReplicaId;
  readonly received: { from: ReplicaId; message: PeerMessage }[];
  /** "up n2", "down n2", in order. */
  readonly events: string[];
  readonly log: string[];
  isUp(replica: ReplicaId): boolean;
  /** Sockets that others dialled and that are open now. */
  accepted(): number;
  /** Answers no new connection, as a paused process: what connects finds silence. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
};

export type TestNodeOptions =
  & Partial<Pick<PeerLinksOptions, "secret" | "limits" | "admit" | "remembered">>
  & { readonly port?: number; readonly identity?: Partial<PeerIdentity> };

let processes = 0;

export function startNode(replica: ReplicaId, options: TestNodeOptions = {}): TestNode {
  const nonce = `process-${++processes}`;
  const received: TestNode["received"] = [];
  const events: string[] = [];
  const log: string[] = [];
  const up = new Set<ReplicaId>();
  let url = "";
  const links = new PeerLinks({
    identity: () => ({
      ...{
        replica,
        clusterId: null,
        bootCount: 1,
        nonce,
        earlier: [],
        url,
        version: "0.1.0",
        ...options.identity,
      },
    }),
    secret: options.secret === undefined ? "s3cret" : options.secret,
    ...{ clock, scheduler, random: Math.random },
    log: (level, message, fields) => log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
    admit: options.admit ?? (() => ({ ok: true })),
    remembered: options.remembered ?? (() => null),
    limits: { backoffMinMs: 10, backoffMaxMs: 100, graceMs: 50, ...options.limits },
  });
  links.listen({
    message: (from, message) => received.push({ from, message }),
    up: (peer) => (up.add(peer.replica), events.push(`up ${peer.replica}`)),
    down: (peer) => (up.delete(peer.replica), events.push(`down ${peer.replica}`)),
  });
  let paused = false;
  const server = Bun.serve<PeerSocketData>({
    ...{ hostname: "127.0.0.1", port: options.port ?? 0 },
    fetch: (request, server) => {
      if (paused) return new Promise<Response>(() => {});
      return new URL(request.url).pathname === "/v1/peer"
        ? links.upgrade(request, server)
        : new Response("a client's affair");
    },
    websocket: links.websocket,
  });
  const port = server.port ?? 0;
  url = `http://127.0.0.1:${port}`;
  return {
    ...{ links, url, port, replica, received, events, log },
    isUp: (peer) => up.has(peer),
    accepted: () => server.pendingWebSockets,
    pause: () => paused = true,
    resume: () => paused = false,
    stop: async () => {
      links.close();
      await server.stop(paused);
    },
  };
}
