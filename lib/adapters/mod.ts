// Other front doors on the same replica: the course simulator's datagrams and Maelstrom's lines.
export { Datacenter, type DatacenterOptions } from "./datacenter.ts";
export { Maelstrom, type MaelstromOptions } from "./maelstrom.ts";
export type { Host } from "./memory-replica.ts";
