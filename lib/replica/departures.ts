// Members that are about to be removed: they are told, end what they have under way, and say so. What a removed replica
// still had on its way would end as unknown, since it sees no more of the log.
import type { ReplicaId } from "../raft/mod.ts";

/** A member that does not answer is not waited for any longer, ms. */
const patienceMs = 800;
const repeatMs = 20;
/** For how long a member takes no writes after it was told; the change may still be refused. */
export const departMs = 1500;

type Departure = { readonly since: number; toldAt: number; quiet: boolean };

export class Departures {
  readonly #tell: (replica: ReplicaId) => void;
  readonly #departures = new Map<ReplicaId, Departure>();

  constructor(tell: (replica: ReplicaId) => void) {
    this.#tell = tell;
  }

  isQuiet(replica: ReplicaId): void {
    const departure = this.#departures.get(replica);
    if (departure !== undefined) departure.quiet = true;
  }

  /** Whether all of these have nothing under way any more, or have had their time. Asked again and again. */
  areOver(replicas: readonly ReplicaId[], now: number): boolean {
    for (const [replica, { toldAt }] of this.#departures) {
      if (now - toldAt > departMs) this.#departures.delete(replica);
    }
    let over = true;
    for (const replica of replicas) {
      const departure = this.#departures.get(replica) ?? { since: now, toldAt: -Infinity, quiet: false };
      this.#departures.set(replica, departure);
      if (now - departure.toldAt >= repeatMs) {
        departure.toldAt = now;
        this.#tell(replica);
      }
      if (!departure.quiet && now - departure.since < patienceMs) over = false;
    }
    return over;
  }
}
