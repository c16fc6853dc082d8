// Members that are about to be removed: they are told, end what they have under way, and say so. What a removed replica
// still had on its way would end as unknown, since it sees no more of the log.
import type { ReplicaId } from "../raft/mod.ts";

/** A member that has not answered for so long is not waited for, ms. */
const patienceMs = 800;
/** Nor one that comes to no end: a change must begin within the 5 s that people wait for it. */
const longestMs = 3500;
const repeatMs = 20;
/** For how long a member takes no writes after it was told; the change may still be refused. */
export const departMs = 1500;

type Departure = { readonly since: number; toldAt: number; heardAt: number; quiet: boolean };

export class Departures {
  readonly #tell: (replica: ReplicaId) => void;
  readonly #departures = new Map<ReplicaId, Departure>();

  constructor(tell: (replica: ReplicaId) => void) {
    this.#tell = tell;
  }

  /** It has so many writes under way; none: it may go. */
  answered(replica: ReplicaId, underWay: number, now: number): void {
    const departure = this.#departures.get(replica);
    if (departure === undefined) return;
    departure.heardAt = now;
    departure.quiet = underWay === 0;
  }

  /** Whether all of these have nothing under way any more, or have had their time. Asked again and again. */
  areOver(replicas: readonly ReplicaId[], now: number): boolean {
    for (const [replica, { toldAt }] of this.#departures) {
      if (now - toldAt > departMs) this.#departures.delete(replica);
    }
    let over = true;
    for (const replica of replicas) {
      const departure = this.#departures.get(replica) ??
        { since: now, toldAt: -Infinity, heardAt: now, quiet: false };
      this.#departures.set(replica, departure);
      if (now - departure.toldAt >= repeatMs) {
        departure.toldAt = now;
        this.#tell(replica);
      }
      const waits = now - departure.heardAt < patienceMs && now - departure.since < longestMs;
      if (!departure.quiet && waits) over = false;
    }
    return over;
  }
}
