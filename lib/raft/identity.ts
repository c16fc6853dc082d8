// Who a replica is: the id that people chose and the incarnation that its disk drew, in one opaque string.
// The core compares such strings and never looks inside; a node whose disk was wiped is another replica
// (design: "a replica is (id, incarnation)").

/** `id~incarnation`, e.g. `n1~Vx3kQ9`; tests that need no incarnation write just `n1`. */
export type ReplicaId = string;

/** Joins an id (1–64 of A-Z a-z 0-9 . _ -) and an incarnation; an empty incarnation leaves the id alone. */
export function replicaId(id: string, incarnation: string): ReplicaId {
  return incarnation === "" ? id : `${id}~${incarnation}`;
}

/** The id that people chose: `n1` of `n1~Vx3kQ9`. */
export function idOf(replica: ReplicaId): string {
  const at = replica.indexOf("~");
  return at < 0 ? replica : replica.slice(0, at);
}

/** The incarnation: `Vx3kQ9` of `n1~Vx3kQ9`; empty where there is none. */
export function incarnationOf(replica: ReplicaId): string {
  const at = replica.indexOf("~");
  return at < 0 ? "" : replica.slice(at + 1);
}
