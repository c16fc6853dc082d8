// The HTTP edge's public face.
export { createApp } from "./app.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export type { AppOptions, DirectoryEntry, NodeInfo, RequestBindings, Runtime, Traffic } from "./options.ts";
export { bunRuntime, ListenError, PEER_PATH, type PeerUpgrade, type RunningServer } from "./server.ts";
export { type ServerOptions, startMetricsServer, startServer } from "./server.ts";
