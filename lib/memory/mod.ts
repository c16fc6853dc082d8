// The storage ports in memory, for simulation, adapters and tests.
export {
  type CrashOptions,
  type DiskFile,
  MemoryDisk,
  type MemoryDiskOptions,
  MemoryWitness,
} from "./disk.ts";
export { MemoryLogTable } from "./log-table.ts";
export { MemoryOrderedStore, memoryOrderedStore } from "./ordered-store.ts";
export { MemoryStateStore } from "./state-store.ts";
