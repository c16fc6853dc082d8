// Compares state hashes at equal indexes (design §7): replicas that applied the same entries hold the same rows, or one of
// them is wrong. Checkpoints are every 1024 entries, so that two replicas have many in common whatever their pace.
import type { ReplicaId } from "../raft/mod.ts";

export const checkpointEvery = 1024;
/** Checkpoints kept; others may be behind by so many. */
const maxCheckpoints = 4096;

export class StateCompare {
  readonly #own = new Map<number, string>();
  #latest: { readonly index: number; readonly hash: string } | null = null;
  readonly #differ = new Map<ReplicaId, number>();

  /** What this replica held when it had applied `index`. */
  checkpoint(index: number, hash: string): void {
    this.#latest = { index, hash };
    this.#own.set(index, hash);
    if (this.#own.size <= maxCheckpoints) return;
    const oldest = this.#own.keys().next();
    if (!oldest.done) this.#own.delete(oldest.value);
  }

  get latest(): { readonly index: number; readonly hash: string } | null {
    return this.#latest;
  }

  /** What another says; true = a difference that was not known. Indexes that only one of the two has say nothing. */
  heard(replica: ReplicaId, index: number, hash: string): boolean {
    const own = this.#own.get(index);
    if (own === undefined) return false;
    if (own === hash) {
      this.#differ.delete(replica);
      return false;
    }
    const known = this.#differ.has(replica);
    this.#differ.set(replica, index);
    return !known;
  }

  /**
   * Whether this replica has to go out of service: a majority of the voters (itself counted as agreeing with itself) holds
   * something else. Of two that differ nobody can say which is wrong: that is only told.
   */
  outvoted(voters: readonly ReplicaId[]): boolean {
    const differing = voters.filter((voter) => this.#differ.has(voter)).length;
    return voters.length > 0 && differing > voters.length / 2;
  }
}
