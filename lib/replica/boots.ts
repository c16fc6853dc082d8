// Which starts of which peers were seen (design §5). A data folder that goes on from the start that is remembered shows it
// among its own; one that does not is a copy or was rolled back, however often it was started since, and is not talked to.
import { idOf, type ReplicaId } from "../raft/mod.ts";
import type { PeerBoot } from "./node-record.ts";

export type Boot = PeerBoot & {
  readonly replica: ReplicaId;
  /** Nonces of the starts before this one, the newest last, as far as its folder remembers. */
  readonly earlier: readonly string[];
};

/** More than any cluster has; the oldest are forgotten first. */
const maxBoots = 256;

export class Boots {
  readonly #highest = new Map<ReplicaId, PeerBoot>();

  constructor(known: Readonly<Record<ReplicaId, PeerBoot>>) {
    for (const [replica, boot] of Object.entries(known)) this.#highest.set(replica, boot);
  }

  /** Something was seen that known() did not return yet. */
  changed = false;

  /** null = welcome, and remembered; otherwise why not, as a sentence. */
  admit(boot: Boot): string | null {
    const { replica, bootCount, nonce } = boot;
    const seen = this.#highest.get(replica);
    if (seen !== undefined) {
      const objection = objectionTo(boot, seen);
      if (objection !== null) return objection;
      if (bootCount === seen.bootCount) return null;
      this.#highest.delete(replica);
    }
    this.changed = true;
    this.#highest.set(replica, { bootCount, nonce });
    if (this.#highest.size > maxBoots) {
      const oldest = this.#highest.keys().next();
      if (!oldest.done) this.#highest.delete(oldest.value);
    }
    return null;
  }

  known(): Readonly<Record<ReplicaId, PeerBoot>> {
    this.changed = false;
    return Object.fromEntries(this.#highest);
  }
}

function objectionTo({ replica, bootCount, nonce, earlier }: Boot, seen: PeerBoot): string | null {
  const id = idOf(replica);
  if (bootCount < seen.bootCount) {
    return `${id} shows start ${bootCount}, but its start ${seen.bootCount} was seen already: ` +
      `its data folder is an old copy`;
  }
  if (bootCount === seen.bootCount) {
    if (nonce === seen.nonce) return null;
    return `two processes show the same start ${bootCount} of ${id}: its data folder was copied`;
  }
  // Starts are counted one by one. Where the list does not reach back so far, the larger number is all there is to go by.
  const remembered = earlier.at(-(bootCount - seen.bootCount));
  if (remembered === undefined || remembered === seen.nonce) return null;
  return `${id} shows start ${bootCount}, which does not go on from its start ${seen.bootCount} as it was seen: ` +
    `its data folder was copied or rolled back`;
}
