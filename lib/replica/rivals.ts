// Newcomers whose id a member has already (design §5). A wiped node that comes back quickly is refused only until the link of
// its dead incarnation breaks. Where the member is heard again *after* the newcomer was refused, two nodes are alive: the
// newcomer stays refused, also while the owner of the id restarts.
import type { ReplicaId } from "../raft/mod.ts";

/** `enter`: its owner is gone. `wait`: it may be. `taken`: it lives, or lived when this newcomer was there already. */
export type RivalVerdict = "enter" | "wait" | "taken";

type Refusal = { readonly rival: ReplicaId; readonly since: number; rivalLives: boolean };

/** What a dead process had sent last may be read a moment late. */
const marginMs = 300;
/** The oldest are forgotten first. */
const maxRefusals = 256;

export class Rivals {
  readonly #refusals = new Map<ReplicaId, Refusal>();

  /** `heardMs`: how long ago the rival was heard on its link, Infinity where that is not known; null = it has no link. */
  judge(newcomer: ReplicaId, rival: ReplicaId, heardMs: number | null, now: number): RivalVerdict {
    const before = this.#refusals.get(newcomer);
    const known = before?.rival === rival ? before : null;
    if (heardMs === null) return known?.rivalLives === true ? "taken" : "enter";
    const refusal = known ?? this.#refuse(newcomer, rival, now);
    if (now - heardMs > refusal.since + marginMs) refusal.rivalLives = true;
    return refusal.rivalLives ? "taken" : "wait";
  }

  #refuse(newcomer: ReplicaId, rival: ReplicaId, since: number): Refusal {
    const refusal = { rival, since, rivalLives: false };
    this.#refusals.delete(newcomer);
    this.#refusals.set(newcomer, refusal);
    if (this.#refusals.size > maxRefusals) {
      const oldest = this.#refusals.keys().next();
      if (!oldest.done) this.#refusals.delete(oldest.value);
    }
    return refusal;
  }
}
