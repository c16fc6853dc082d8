// The key-value state machine: commands, results, queries and their codecs, over any ordered store of bytes.
export * from "./command.ts";
export * from "./cursor.ts";
export * from "./key.ts";
export * from "./machine.ts";
export type * from "./parsed.ts";
export * from "./query.ts";
export * from "./record.ts";
export * from "./result.ts";
