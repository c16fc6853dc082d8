// The numbers of GET /metrics. Gauges are set from the replica's status at scrape time; between scrapes only histograms
// cost anything.
import { Gauge, Registry } from "prom-client";
import { idOf } from "../raft/mod.ts";
import type { ReplicaStatus } from "../replica/api.ts";
import { Histogram, type Series } from "./histogram.ts";
import type { Traffic } from "./options.ts";

/** What a scrape shows beside the histograms. */
export type MetricsPicture = {
  readonly status: ReplicaStatus;
  readonly version: string;
  readonly traffic: Traffic | null;
  readonly memory: { readonly residentBytes: number; readonly heapBytes: number };
  readonly openRequests: number;
  readonly bodyBytes: number;
};

/** Counts the requests of one route and method. */
export type RequestRecorder = (status: number, seconds: number) => void;

export type Metrics = {
  /** The duration of one durable commit of the log, in seconds. */
  observeFsync(seconds: number): void;
  /** Made once per route and method. */
  requests(route: string, method: string): RequestRecorder;
  /** The text of a scrape. */
  render(picture: MetricsPicture): Promise<string>;
  readonly contentType: string;
};

/** Made once per process, before storage and the app that feed it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const fsync = new Histogram("coracle_fsync_seconds", "Durable commits of the log.", registry).series({});
  const requests = new Histogram(
    "coracle_http_request_seconds",
    "Requests by route, method and status, from the arrival of the header to the answer.",
    registry,
  );
  const show = makeGauges(registry);
  return {
    observeFsync: (seconds) => fsync.observe(seconds),
    requests(route, method) {
      const byStatus = new Map<number, Series>();
      return (status, seconds) => {
        let series = byStatus.get(status);
        if (series === undefined) {
          series = requests.series({ route, method, status: String(status) });
          byStatus.set(status, series);
        }
        series.observe(seconds);
      };
    },
    render(picture) {
      show(picture);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

const ROLES = ["follower", "preCandidate", "candidate", "leader"] as const;

/** Registers all gauges; the function returned sets them. */
function makeGauges(registry: Registry): (picture: MetricsPicture) => void {
  const registers = [registry];
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge<Label>({ name: `coracle_${name}`, help, labelNames, registers });
  const info = gauge("info", "Always 1; who this is.", ["id", "version", "cluster"]);
  const role = gauge("role", "1 for the present role.", ["role"]);
  const term = gauge("term", "currentTerm.");
  const hasLeader = gauge("has_leader", "Whether a leader of the present term is known.");
  const ready = gauge("ready", "Whether a linearizable read would be served now.");
  const diskFull = gauge("disk_full", "Whether writes are refused because a disk is below its reserve.");
  const index = gauge("index", "Log indexes: last, durable, commit, applied.", ["kind"]);
  const staleness = gauge("staleness_seconds", "Upper bound of the age of the local state; NaN = not known.");
  const lag = gauge("peer_lag_entries", "Entries that a peer is behind (leader only).", ["peer"]);
  const inflight = gauge("peer_inflight_bytes", "Bytes on their way to a peer (leader only).", ["peer"]);
  const connected = gauge("peers_connected", "Peers with an open link.");
  const queue = gauge("queue_length", "What waits: proposals, reads.", ["kind"]);
  const queueBytes = gauge("queue_bytes", "Bytes of proposals that wait.");
  const messages = gauge("peer_messages", "Messages between replicas since the start.", ["kind"]);
  const memory = gauge("memory_bytes", "Memory of the process: resident, heap in use.", ["kind"]);
  const open = gauge("http_open_requests", "Requests being answered.");
  const bodies = gauge("http_body_bytes", "Bytes of request bodies held.");
  return ({ status, version, traffic, memory: used, openRequests, bodyBytes }) => {
    info.reset();
    info.set({ id: idOf(status.replica), version, cluster: status.clusterId ?? "" }, 1);
    for (const name of ROLES) role.set({ role: name }, name === status.role ? 1 : 0);
    term.set(status.term);
    hasLeader.set(status.leaderId === null ? 0 : 1);
    ready.set(status.ready ? 1 : 0);
    diskFull.set(status.diskFull ? 1 : 0);
    index.set({ kind: "last" }, status.lastIndex);
    index.set({ kind: "durable" }, status.durableIndex);
    index.set({ kind: "commit" }, status.commitIndex);
    index.set({ kind: "applied" }, status.appliedIndex);
    staleness.set(status.stalenessMs === null ? Number.NaN : status.stalenessMs / 1000);
    lag.reset();
    inflight.reset();
    for (const peer of status.peers) {
      lag.set({ peer: idOf(peer.id) }, Math.max(0, status.lastIndex - peer.matchIndex));
      inflight.set({ peer: idOf(peer.id) }, peer.inflightBytes);
    }
    connected.set(status.connected.length);
    queue.set({ kind: "proposals" }, status.queuedProposals);
    queue.set({ kind: "reads" }, status.pendingReads);
    queueBytes.set(status.queuedBytes);
    if (traffic !== null) {
      messages.set({ kind: "sent" }, traffic.sent);
      messages.set({ kind: "dropped" }, traffic.dropped);
      messages.set({ kind: "received" }, traffic.received);
    }
    memory.set({ kind: "resident" }, used.residentBytes);
    memory.set({ kind: "heap" }, used.heapBytes);
    open.set(openRequests);
    bodies.set(bodyBytes);
  };
}
