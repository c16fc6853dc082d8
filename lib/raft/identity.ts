// Who a replica is: the id that people chose and the incarnation that its disk drew, in one opaque string.
// The core compares such strings and never looks inside; a node whose disk was wiped is another replica
// (design: "a replica is (id, incarnation)").

/** What an id may be (api.md), and what disks draw as incarnation. */
export const idPattern = /^[A-Za-z0-9._-]{1,64}$/;
export const idRule = "1 to 64 of A-Z a-z 0-9 . _ - are expected";
const incarnationPattern = /^[A-Za-z0-9]{1,64}$/;

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

/** A text from outside: an id, or `id~incarnation` where two members have one id. */
export function isMemberName(text: string): boolean {
  if (!idPattern.test(idOf(text))) return false;
  return !text.includes("~") || isIncarnation(incarnationOf(text));
}

export function isIncarnation(text: string): boolean {
  return incarnationPattern.test(text);
}
