// The cluster id: a 128-bit hash of the record with which a cluster was formed (design §5). Not a secret and not a proof,
// only the same for the same record and different for others: four murmur-like lanes, mixed at the end.
import type { ReplicaId } from "../raft/mod.ts";

/** 32 hex digits; the order of the record does not matter. */
export function clusterIdOf(record: readonly ReplicaId[]): string {
  const bytes = new TextEncoder().encode([...record].sort().join("\n"));
  let [a, b, c, d] = [1779033703, 3144134277, 1013904242, 2773480762];
  for (const byte of bytes) {
    a = b ^ Math.imul(a ^ byte, 597399067);
    b = c ^ Math.imul(b ^ byte, 2869860233);
    c = d ^ Math.imul(c ^ byte, 951274213);
    d = a ^ Math.imul(d ^ byte, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  return [a ^ b ^ c ^ d, b ^ a, c ^ a, d ^ a].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join(
    "",
  );
}
