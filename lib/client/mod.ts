// A small client for Coracle's HTTP contract: typed answers, and never a write sent twice.
export type { Cluster } from "./answers.ts";
export * from "./client.ts";
export * from "./errors.ts";
export * from "./key-url.ts";
export { type Answer, type Request } from "./transport.ts";
