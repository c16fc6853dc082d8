// The storage ports on a real disk.
//
//   openDataFolder → openLogFile (the guard) + witnessFile → openDurableLog → openStateFile → openAppliedState
import type { Checksum } from "../replica/log-codec.ts";

export { StorageError, type StorageTrouble } from "./errors.ts";
export { type FolderSync, freeSpace, logsSetAside, openDataFolder, setAside, syncFolder } from "./folder.ts";
export { openLogFile } from "./log-file.ts";
export { openStateFile } from "./state-file.ts";
export { witnessFile } from "./witness-file.ts";

/** The runtime's own CRC-32, three times as fast as the one of lib/bytes. */
export const nativeChecksum: Checksum = (bytes, seed) => Bun.hash.crc32(bytes, seed);
