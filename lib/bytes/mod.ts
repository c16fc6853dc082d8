// Bytes: building, reading, ordering, checksums. A leaf: imports nothing, any folder but raft may import it.
export * from "./crc32.ts";
export * from "./order.ts";
export * from "./reader.ts";
export * from "./u32.ts";
export * from "./writer.ts";
