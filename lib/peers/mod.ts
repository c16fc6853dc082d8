// Links between replicas: WebSocket, framing, handshake, reconnect.
export * from "./links.ts";
export * from "./options.ts";
