// Gossip's public face.
export * from "./gossip.ts";
export type * from "./news.ts";
