// The numbers of GET /metrics. Gauges are set from the replica's status at scrape time; between scrapes only histograms
// cost anything: prom-client hashes the labels of each observation, 0.4 µs of a request's 100 to 200 µs.
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { idOf } from "../raft/mod.ts";
import type { Outcome, ReplicaStatus } from "../replica/api.ts";
import type { Traffic, Usage } from "./options.ts";

/** What a scrape shows beside the histograms. */
export type MetricsPicture = {
  readonly status: ReplicaStatus;
  readonly version: string;
  readonly traffic: Traffic | null;
  readonly usage: Usage;
  readonly openRequests: number;
  readonly bodyBytes: number;
};

/** Counts the requests of one route and method. */
export type RequestRecorder = (status: number, seconds: number) => void;

export type Metrics = {
  /** The duration of one durable commit of the log, in seconds. */
  observeFsync(seconds: number): void;
  /** The duration of one durable commit of the applied state, in seconds. */
  observeStateCommit(seconds: number): void;
  /** How a write that began here ended, whatever front door it came through. */
  countOutcome(outcome: Outcome["type"]): void;
  countApplied(entries: number): void;
  /** Made once per route and method. */
  requests(route: string, method: string): RequestRecorder;
  /** The text of a scrape. */
  render(picture: MetricsPicture): Promise<string>;
  readonly contentType: string;
};

/** Made once per process, before storage and the app that feed it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const histogram = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Histogram<Label>({
      ...{ name: `coracle_${name}`, help, labelNames, buckets: LATENCY_BUCKETS, registers: [registry] },
    });
  const fsync = histogram("fsync_seconds", "Durable commits of the log.");
  const stateCommit = histogram("state_commit_seconds", "Durable commits of the applied state.");
  const outcomes = new Counter({
    name: "coracle_writes_total",
    help: "Writes that began at this node, by ending: done, refused (definitely not done), unknown.",
    labelNames: ["ending"],
    registers: [registry],
  });
  for (const ending of ENDINGS) outcomes.inc({ ending }, 0);
  const applied = new Counter({
    name: "coracle_applied_entries_total",
    help: "Entries applied since the start.",
    registers: [registry],
  });
  const requests = histogram(
    "http_request_seconds",
    "Requests by route, method and status, from the arrival of the header to the answer.",
    ["route", "method", "status"],
  );
  const show = makeGauges(registry);
  return {
    observeFsync: (seconds) => fsync.observe(seconds),
    observeStateCommit: (seconds) => stateCommit.observe(seconds),
    countOutcome: (ending) => outcomes.inc({ ending }),
    countApplied: (entries) => applied.inc(entries),
    requests: (route, method) => (status, seconds) =>
      requests.observe({ route, method, status: String(status) }, seconds),
    render(picture) {
      show(picture);
      return registry.metrics();
    },
    contentType: registry.contentType,
  };
}

/** Upper bounds in seconds. */
const LATENCY_BUCKETS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05],
  ...[0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
];
const ENDINGS = ["done", "refused", "unknown"] as const;
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
  const messages = new Counter({
    name: "coracle_peer_messages_total",
    help: "Messages between replicas: sent, received, dropped before they left.",
    labelNames: ["kind"],
    registers,
  });
  const memory = gauge("memory_bytes", "Memory of the process: resident, heap in use.", ["kind"]);
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "User and system time of the process.",
    registers,
  });
  const begun = new Gauge({
    name: "process_start_time_seconds",
    help: "When the process began, since the epoch.",
    registers,
  });
  const open = gauge("http_open_requests", "Requests being answered.");
  const bodies = gauge("http_body_bytes", "Bytes of request bodies held.");
  return ({ status, version, traffic, usage, openRequests, bodyBytes }) => {
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
      messages.reset();
      messages.inc({ kind: "sent" }, traffic.sent);
      messages.inc({ kind: "dropped" }, traffic.dropped);
      messages.inc({ kind: "received" }, traffic.received);
    }
    memory.set({ kind: "resident" }, usage.residentBytes);
    memory.set({ kind: "heap" }, usage.heapBytes);
    cpu.reset();
    cpu.inc(usage.cpuSeconds);
    begun.set(usage.startedAtSeconds);
    open.set(openRequests);
    bodies.set(bodyBytes);
  };
}
